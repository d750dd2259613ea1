/** Takes the releases back to their previous revision, or to TO, saves the evidence first and proves the outcome: make rollback */
import { relative } from 'node:path';
import { liveCertificate } from '../../lib/deployment/certificates/certificate.ts';
import { confirm } from '../../lib/runner/confirm.ts';
import { saveEvidence } from '../../lib/operations/evidence.ts';
import { ISSUER_NAMES } from '../../lib/deployment/cluster/infrastructure.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { withLock } from '../../lib/runner/lock.ts';
import { runAlone } from '../entry.ts';
import { gkeRelease, remoteRelease } from '../../lib/deployment/release/release.ts';
import {
  NOT_UNDONE,
  past,
  planMoves,
  revisionOf,
  rollBack,
  works,
  type Move,
  type Past,
} from '../../lib/operations/rollback.ts';
import type { Session } from '../../lib/runner/session.ts';
import { elapsed } from '../../lib/runner/show.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import type { TargetedRelease } from '../../lib/deployment/release/targeted-release.ts';

/** Rolls back, waits and proves. @throws Failure when it does not come up, BadInput where there is nothing to roll back to */
export async function rollback(session: Session, to: string | undefined, yes: string | undefined): Promise<number> {
  const wanted = revisionOf(to);
  const { ctx, out, journal } = session;
  const { chalk, line } = out;
  const known = async (targeted: TargetedRelease): Promise<{ targeted: TargetedRelease; past: Past[] }> => ({
    targeted,
    past: await past(ctx, targeted),
  });
  const [gke, certificate, ...remotes] = await Promise.all([
    gkeRelease(ctx).then(known),
    liveCertificate(ctx),
    ...ctx.settings.remotes.map((r) => remoteRelease(ctx, r).then(known)),
  ]);
  for (const { targeted, past: revisions } of [gke, ...remotes]) {
    line(chalk.bold(`${targeted.spec.clusterId}: release ${targeted.spec.release} in ${targeted.target.context}`));
    revisions.forEach((r) => line(`  ${row(r)}`));
  }
  line(`TLS issuer in use: ${certificate.issuer ? ISSUER_NAMES[certificate.issuer] : 'none'}\n`);
  const moves = planMoves(gke, remotes, wanted);
  moves.forEach((m) => line(moveLine(m)));
  line(chalk.bold('\nnot undone by this:'));
  NOT_UNDONE.forEach((text) => line(`  ${text}`));
  line('');
  await confirm('Roll back?', yes);

  const started = Date.now();
  const moved = moves
    .map((m) => `${m.targeted.spec.clusterId} ${m.from.revision}→${m.to?.revision ?? 'stays'}`)
    .join(', ');
  journal({ event: 'rollback', reason: moved });
  const folder = await saveEvidence(
    ctx,
    [gke, ...remotes].filter((r) => r.past.length > 0).map((r) => r.targeted),
  );
  line(`evidence saved in ${relative(process.cwd(), folder)}`);
  try {
    await withLock(session, { what: 'rollback', waitMs: 0 }, () => rollBack(ctx, moves, line));
    line(`${chalk.green('✓')} ${await works(ctx)}`);
  } catch (error) {
    journal({ event: 'rollback', state: 'failed', reason: moved, durationMs: Date.now() - started });
    throw error;
  }
  journal({ event: 'rollback', state: 'done', reason: moved, durationMs: Date.now() - started });
  line(
    `rolled back in ${elapsed(Date.now() - started)}. make status now says that the releases are differs from the configuration: that is right.`,
  );
  line(
    withSettingsFile('next: make verify; make deploy goes forward again to the checkout’s version', ctx.settings.file),
  );
  return STATUS.done;
}

function row({ revision, updated, status, tags, description }: Past): string {
  const at = updated.slice(0, 16).replace('T', ' ');
  return `${String(revision).padStart(3)}  ${at}  ${status.padEnd(11)} images ${(tags.join(', ') || 'none').padEnd(10)} ${description}`;
}

function moveLine({ targeted, from, to, reason }: Move): string {
  const { clusterId } = targeted.spec;
  return to
    ? `${clusterId}: revision ${from.revision} → ${to.revision} (image ${to.tags.join(', ')})`
    : `${clusterId}: stays at revision ${from.revision}: ${reason}`;
}

void runAlone(import.meta);
