# Kubently's deployment as a runbook. ENV_FILE=path names the settings file (default .env).
# FROM=2.3 UNTIL=2.6 ONLY=2.3,2.5 choose steps. Every target can be run again.
.DEFAULT_GOAL := help
.PHONY: help install tools deploy phase1 phase2 phase3 phase4 plan status verify doctor lint-chart render sandbox sandbox-down rehearse check test test-tls test-unit test-bats test-rehearsal

NODE := node_modules/.bin/node
# Only what stands on make's own command line reaches the program (design.md rule 9).
flag = $(if $(filter command line,$(origin $(1))),--$(2) $($(1)))
CHOICE = $(call flag,FROM,from) $(call flag,UNTIL,until) $(call flag,ONLY,only)
ifdef ENV_FILE
export ENV_FILE
endif
ifdef KUBENTLY_REPO
export KUBENTLY_REPO
endif

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: node_modules/.installed ## the pinned Node, libraries and test tools, from npm
node_modules/.installed: package-lock.json
	npm ci
	@touch $@

tools: install ## the pinned helm and kubectl, into .tools/bin
	@$(NODE) lib/tools.ts

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

status: tools ## every step's check at once, nothing changed
	@./runbook status

plan: tools ## what a deploy would do, nothing changed
	@./runbook deploy --plan $(CHOICE)

verify: tools ## the 13 success criteria, each with its evidence
	@./runbook verify

doctor: tools ## the preflight alone
	@./runbook doctor

lint-chart: tools ## whether the checkout's chart gives complete releases
	@$(NODE) scripts/ops/lint-chart.ts

render: tools ## both releases as files, without a cluster: OUT=folder
	@$(NODE) scripts/ops/render.ts $(call flag,OUT,out)

sandbox: tools ## the rehearsal world up
	@$(NODE) sandbox/up.ts

sandbox-down: install ## the rehearsal world away
	@$(NODE) sandbox/down.ts

rehearse: sandbox ## the whole on this machine: world, four phases, 13 criteria
	@$(NODE) sandbox/rehearse.ts

test-tls: tools ## the TLS cases of the edge and of the executor, into docs/tls-cases.md; SHORT=1: without the 5-minute stream and the file
	@ENV_FILE=$${ENV_FILE:-sandbox/.env} SHORT=$(SHORT) $(NODE) node_modules/vitest/vitest.mjs run test/tls --reporter=dot; status=$$?; \
	  $(if $(SHORT),,$(NODE) test/tls/table.ts &&) exit $$status

check: tools ## types, lint, format, unit tests: the quick part
	@bash test/check.sh

test: check ## everything: check, bats, the rehearsal with its assertions
	@bash test/all.sh
