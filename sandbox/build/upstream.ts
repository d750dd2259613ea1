/** Where the internet is there, upstream's own images are taken instead of built ones. */
import { run } from '../run.ts';

/** Whether Docker Hub answers within 3 s, asked once. */
const reachable = fetch('https://registry-1.docker.io/v2/', { method: 'HEAD', signal: AbortSignal.timeout(3000) }).then(
  // Any answer of the registry will do: without a token it is 401.
  (answer) => answer.status === 200 || answer.status === 401,
  () => false,
);

/** Pulls the image if Docker Hub is there and has it; answers whether the daemon has it now. */
export async function pulled(name: string): Promise<boolean> {
  if (!(await reachable)) return false;
  return run('docker', ['pull', '--quiet', name], { seconds: 600 }).then(
    () => true,
    () => false,
  );
}
