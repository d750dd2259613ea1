# Kubently's deployment as a runbook. ENV_FILE=path names the settings file (default .env).
# FROM=2.3 UNTIL=2.6 ONLY=2.3,2.5 choose steps, WAIT=10m waits for another run's end. Every target can be run again.
.DEFAULT_GOAL := help
.PHONY: help install tools deploy phase1 phase2 phase3 phase4 phase5 plan status verify readiness doctor history tmux rollback remove rotate backup restore drill logs report lint-chart render gitops iac runbook-doc dev dev-certs dev-down sandbox sandbox-down rehearse check test test-attacks test-tls test-operations test-shapes test-faults bench

NODE := node_modules/.bin/node
# Only what stands on make's own command line reaches the program (docs/architecture.md rule 9), word for word: neither
# make nor a shell acts on what it holds. All of it goes to every command: what has no meaning there is refused, not
# ignored.
GIVEN := $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $(v))),$(v)))
$(foreach v,$(GIVEN),$(eval override export $(v) := $$(value $(v))))
# A name with an underscore is a setting or a tool's own; one without is an option of a run, or misspelt.
OF_RUNS := FROM UNTIL ONLY WAIT LAST OUT TO YES KEEP WHAT TAIL BACKUP UNSIGNED DRILL ENGINE JSON FOLLOW
OPTIONS := $(OF_RUNS) SIZES PART SHORT ROUNDS PROFILE NAMESPACE RELEASE KUBECONFIG PATH HOME SHELL TMPDIR TERM CI DEBUG
UNKNOWN := $(strip $(foreach v,$(GIVEN),$(if $(findstring _,$(v)),,$(filter-out $(OPTIONS),$(v)))))
$(if $(UNKNOWN),$(error $(firstword $(UNKNOWN)): unknown option; there are $(OF_RUNS). Nothing was run))
quoted = '$(subst ','\'',$(1))'
given = $(filter $(1),$(GIVEN))
flag = $(if $(call given,$(1)),$(call quoted,--$(2)=$($(1))))
FLAGS = $(call flag,FROM,from) $(call flag,UNTIL,until) $(call flag,ONLY,only) $(call flag,WAIT,wait) \
  $(call flag,LAST,last) $(call flag,OUT,out) $(call flag,TO,to) $(call flag,YES,yes) $(call flag,KEEP,keep) \
  $(call flag,WHAT,what) $(call flag,TAIL,tail) $(call flag,BACKUP,backup) $(call flag,UNSIGNED,unsigned) $(call flag,DRILL,drill) $(call flag,ENGINE,engine) \
  $(if $(call given,JSON),$(if $(filter-out 0,$(JSON)),--json)) $(if $(call given,FOLLOW),$(if $(filter 0,$(FOLLOW)),--no-follow))
# Node keeps what it made of each file, by the file's content: half of the start-up.
export NODE_COMPILE_CACHE ?= $(CURDIR)/node_modules/.cache/node
ifdef ENV_FILE
override export ENV_FILE := $(value ENV_FILE)
endif
ifdef KUBENTLY_REPO
override export KUBENTLY_REPO := $(value KUBENTLY_REPO)
endif

ATTACKED := attacks api-server-outage backup command foreign-code http kubectl lock log-streams makefile owner preflight private-file regexps registry role-rights say secret show stderr steps/2.1 tokens

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: node_modules/.installed ## the pinned Node, libraries and test tools, from npm
node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { echo 'npm: is not on PATH; nothing was changed (apt-get install npm; it brings the pinned Node)' >&2; exit 2; }
	npm ci
	@touch $@

tools: install ## the pinned helm and kubectl, into .tools/bin
	@$(NODE) scripts/ops/tools.ts

deploy: tools ## all four phases
	@./runbook deploy $(FLAGS)

phase1: tools ## GKE infrastructure: address, DNS, cert-manager, ingress, issuers
	@./runbook phase1 $(FLAGS)

phase2: tools ## the release in GKE, with its certificate
	@./runbook phase2 $(FLAGS)

phase3: tools ## the executors in the remote clusters
	@./runbook phase3 $(FLAGS)

phase4: tools ## tests of the whole
	@./runbook phase4 $(FLAGS)

phase5: tools ## what production needs beside the plan, with PROFILE=production: a private CA
	@./runbook phase5 $(FLAGS)

status: tools ## every step's check at once, certificate, connections, versions: JSON=1 for programs
	@./runbook status $(FLAGS)

plan: tools ## what a deploy would do, nothing changed: JSON=1 for programs
	@./runbook plan $(FLAGS)

verify: tools ## the 13 success criteria, each with its evidence
	@./runbook verify $(FLAGS)

readiness: tools ## what keeps it from being a production environment: 17 gaps, 7 next steps: JSON=1 for programs
	@./runbook readiness $(FLAGS)

doctor: tools ## the preflight alone
	@./runbook doctor $(FLAGS)

history: install ## the runs so far, from the journal: LAST=20, JSON=1 for programs
	@./runbook history $(FLAGS)

tmux: tools ## the run, the live status and the logs in a tmux session, or back to it
	@./runbook tmux $(FLAGS)

lint-chart: tools ## whether the checkout's chart gives complete releases
	@./runbook lint-chart $(FLAGS)

render: tools ## both releases as files, without a cluster: OUT=folder
	@./runbook render $(FLAGS)

gitops: tools ## each release as an engine in the clusters applies it, without Secrets: OUT=folder ENGINE=flux|argocd
	@./runbook gitops $(FLAGS)

iac: tools ## what was made in Google Cloud as OpenTofu or Terraform code that takes it over: OUT=folder
	@./runbook iac $(FLAGS)

runbook-doc: tools ## the deployment as a document to go on with by hand: OUT=file
	@./runbook document $(FLAGS)

rollback: tools ## the release back to its previous revision, or TO=N; asks unless YES=1
	@./runbook rollback $(FLAGS)

remove: tools ## the deployment away, on both sides; asks unless YES=1; KEEP=dns,ip,certs,data
	@./runbook remove $(FLAGS)

rotate: tools ## new secrets for old, proven: WHAT=api-key|executor:ID|redis|dns-key|all
	@./runbook rotate $(FLAGS)

backup: tools ## Redis state, encrypted with age, also into BACKUP_BUCKET: OUT=file
	@./runbook backup $(FLAGS)

restore: tools ## Redis state from a backup: BACKUP=file|newest; asks unless YES=1; UNSIGNED=1 takes one whose maker is not proven
	@./runbook restore $(FLAGS)

drill: tools ## disaster recovery for real: backup, all destroyed but KEEP, rebuilt, restored, proven: DRILL=host
	@./runbook drill $(FLAGS)

logs: tools ## follows the logs of all clusters: WHAT=api|executor|remote:ID|ingress|cert-manager TAIL=100 FOLLOW=0
	@./runbook logs $(FLAGS)

report: tools ## a page to hand over: criteria, what is deployed, timeline: OUT=file
	@./runbook report $(FLAGS)

sandbox: tools ## the rehearsal world up
	@$(NODE) sandbox/up.ts

sandbox-down: install ## the rehearsal world away
	@$(NODE) sandbox/down.ts

rehearse: sandbox ## the whole on this machine: world, four phases, 13 criteria
	@$(NODE) sandbox/rehearse.ts

dev: install ## Kubently on this machine over https: https://localhost:8443 (DEV_PORT)
	@$(NODE) sandbox/dev/up.ts

dev-certs: install ## certificates for that, of a CA of their own
	@$(NODE) sandbox/dev/certificates.ts

dev-down: install ## stop and remove it
	@$(NODE) sandbox/dev/down.ts

test-attacks: tools ## the attacks of docs/security.md that need no world (1 min)
	@NO_COLOR=1 $(NODE) node_modules/vitest/vitest.mjs run $(ATTACKED:%=test/unit/%.test.ts) --reporter=dot

test-tls: tools ## the TLS cases of edge, executors, clusters and own certificates, into docs/security.md (15 min); SHORT=1: without the 5-minute stream, the private CA and the file
	@ENV_FILE=$${ENV_FILE:-sandbox/.env} SHORT=$(call quoted,$(SHORT)) $(NODE) node_modules/vitest/vitest.mjs run test/tls --reporter=dot; status=$$?; \
	  $(if $(SHORT),,node_modules/bats/bin/bats --timing test/tls/private-ca.bats || status=1; $(NODE) test/tls/table.ts &&) exit $$status

test-operations: tools ## every operation on the rehearsal world as it stands: logs to removal and installing again (25 min)
	@node_modules/bats/bin/bats --timing $(foreach t,logs report runbook_document rotate backup certificates rollback workflows remove,test/operations/$(t).bats)

test-shapes: tools ## chart shapes B, C and H deployed for real beside the rehearsal's deployment
	@node_modules/bats/bin/bats --timing test/rehearsal/shapes.bats

test-faults: tools ## crashes, faults, two operators, leaks on the deployed rehearsal world, into docs/reliability.md; about an hour
	@bash test/faults/all.sh

bench: tools ## measurements on the rehearsal world, into docs/performance.md: PART=nothing-to-do|from-nothing|fleet|start-up|growth
	@ENV_FILE=$${ENV_FILE:-sandbox/.env} $(NODE) bench/bench.ts $(call flag,PART,part) $(call flag,SIZES,sizes)

check: tools ## types, lint, format, unit tests: the quick part
	@bash test/check.sh

test: check ## everything: check, bats, the rehearsal with its assertions
	@bash test/all.sh
