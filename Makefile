# For those who look for it. npm has the same commands; these are their names in Faust's demo.
.DEFAULT_GOAL := native-run
.PHONY: run-dev native-run test down

# The demo beside a Kafka. This version reads and writes its own log on disk and not yet Kafka;
# the broker is here for the version that does.
run-dev:
	docker compose up --detach --wait
	npm install
	npm run demo

# The demo with nothing beside it.
native-run:
	npm install
	npm run demo

test:
	npm install
	npm test

down:
	docker compose down --volumes
