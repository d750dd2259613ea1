# Kubently's deployment as a runbook. ENV_FILE=path names the settings file (default .env).
# FROM=2.3 UNTIL=2.6 ONLY=2.3,2.5 choose steps, WAIT=10m waits for another run's end. Every target can be run again.
.DEFAULT_GOAL := help
.PHONY: help install tools deploy phase1 phase2 phase3 phase4 plan status verify doctor history tmux rollback remove rotate backup restore logs report lint-chart render runbook-doc dev dev-certs dev-down sandbox sandbox-down rehearse check test test-tls test-operations test-shapes test-faults bench

NODE := node_modules/.bin/node
# Only what stands on make's own command line reaches the program (docs/architecture.md rule 9), word for word: neither
# make nor a shell acts on what it holds.
GIVEN := $(foreach v,$(.VARIABLES),$(if $(filter command line,$(origin $(v))),$(v)))
$(foreach v,$(GIVEN),$(eval override export $(v) := $$(value $(v))))
quoted = '$(subst ','\'',$(1))'
flag = $(if $(filter $(1),$(GIVEN)),$(call quoted,--$(2)=$($(1))))
OPS := --disable-warning=DEP0190 scripts/ops
CHOICE = $(call flag,FROM,from) $(call flag,UNTIL,until) $(call flag,ONLY,only) $(call flag,WAIT,wait)
JSON_FLAG = $(if $(filter JSON,$(GIVEN)),$(if $(filter-out 0,$(JSON)),--json))
# Node keeps what it made of each file, by the file's content: half of the start-up.
export NODE_COMPILE_CACHE ?= $(CURDIR)/node_modules/.cache/node
ifdef ENV_FILE
override export ENV_FILE := $(value ENV_FILE)
endif
ifdef KUBENTLY_REPO
override export KUBENTLY_REPO := $(value KUBENTLY_REPO)
endif

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
	@./runbook deploy $(CHOICE)

phase1: tools ## GKE infrastructure: address, DNS, cert-manager, ingress, issuers
	@./runbook phase1 $(CHOICE)

phase2: tools ## the release in GKE, with its certificate
	@./runbook phase2 $(CHOICE)

phase3: tools ## the executors in the remote clusters
	@./runbook phase3 $(CHOICE)

phase4: tools ## tests of the whole
	@./runbook phase4 $(CHOICE)

status: tools ## every step's check at once, certificate, connections, versions: JSON=1 for programs
	@./runbook status $(JSON_FLAG)

plan: tools ## what a deploy would do, nothing changed: JSON=1 for programs
	@./runbook deploy --plan $(CHOICE) $(JSON_FLAG)

verify: tools ## the 13 success criteria, each with its evidence
	@./runbook verify

doctor: tools ## the preflight alone
	@./runbook doctor

history: install ## the runs so far, from the journal: LAST=20, JSON=1 for programs
	@$(NODE) scripts/ops/history.ts $(call flag,LAST,last) $(JSON_FLAG)

tmux: tools ## the run, the live status and the logs in a tmux session, or back to it
	@$(NODE) scripts/ops/tmux.ts

lint-chart: tools ## whether the checkout's chart gives complete releases
	@$(NODE) scripts/ops/lint-chart.ts

render: tools ## both releases as files, without a cluster: OUT=folder
	@$(NODE) scripts/ops/render.ts $(call flag,OUT,out)

runbook-doc: tools ## the deployment as a document to go on with by hand: OUT=file
	@$(NODE) $(OPS)/runbook-doc.ts $(call flag,OUT,out)

rollback: tools ## the release back to its previous revision, or TO=N; asks unless YES=1
	@$(NODE) $(OPS)/rollback.ts $(call flag,TO,to) $(call flag,YES,yes)

remove: tools ## the deployment away, on both sides; asks unless YES=1; KEEP=dns,ip,certs,data
	@$(NODE) $(OPS)/remove.ts $(call flag,KEEP,keep) $(call flag,YES,yes)

rotate: tools ## new secrets for old, proven: WHAT=api-key|executor:ID|redis|dns-key|all
	@$(NODE) $(OPS)/rotate.ts $(call flag,WHAT,what)

backup: tools ## Redis state, encrypted with age: OUT=file
	@$(NODE) $(OPS)/backup.ts $(call flag,OUT,out)

restore: tools ## Redis state from a backup: BACKUP=file; asks unless YES=1; UNSIGNED=1 takes one whose maker is not proven
	@$(NODE) $(OPS)/restore.ts $(call flag,BACKUP,backup) $(call flag,YES,yes) $(call flag,UNSIGNED,unsigned)

logs: tools ## follows the logs of all clusters: WHAT=api|executor|remote:ID|ingress|cert-manager TAIL=100 FOLLOW=0
	@$(NODE) $(OPS)/logs.ts $(call flag,WHAT,what) $(call flag,TAIL,tail) $(if $(filter FOLLOW,$(GIVEN)),$(if $(filter 0,$(FOLLOW)),--no-follow))

report: tools ## a page to hand over: criteria, what is deployed, timeline: OUT=file
	@$(NODE) $(OPS)/report.ts $(call flag,OUT,out)

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

test-tls: tools ## the TLS cases of edge, executors, clusters and own certificates, into docs/security.md (15 min); SHORT=1: without the 5-minute stream, the private CA and the file
	@ENV_FILE=$${ENV_FILE:-sandbox/.env} SHORT=$(call quoted,$(SHORT)) $(NODE) node_modules/vitest/vitest.mjs run test/tls --reporter=dot; status=$$?; \
	  $(if $(SHORT),,node_modules/bats/bin/bats --timing test/tls/private-ca.bats || status=1; $(NODE) test/tls/table.ts &&) exit $$status

test-operations: tools ## every operation on the rehearsal world as it stands: logs to removal and installing again (25 min)
	@node_modules/bats/bin/bats --timing $(foreach t,logs report runbook_document rotate backup certificates rollback remove,test/operations/$(t).bats)

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
