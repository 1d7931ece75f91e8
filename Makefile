# For those who look for it: the names that Faust's demo has. npm has the same commands.
.DEFAULT_GOAL := native-run
.PHONY: run-dev native-run test down

# Starts the Kafka of compose.yaml, and the demo beside it. The demo does not use that Kafka: this
# version keeps its log in ./.tailrace, and refuses kafka://… until the version that speaks it.
run-dev:
	docker compose up --detach --wait
	npm install
	npm run demo

# Starts the demo with nothing beside it: page views on http://localhost:8088/report/.
native-run:
	npm install
	npm run demo

# Runs all tests. None of them needs Docker; those on Kafka start it, with a JDK and Maven.
test:
	npm install
	npm test

# Stops the Kafka of compose.yaml and deletes what it stored. The demo's log stays: delete
# ./.tailrace to begin anew.
down:
	docker compose down --volumes
