# For those who look for it: the names that Faust's demo has. npm has the same commands.
.DEFAULT_GOAL := native-run
.PHONY: run-dev native-run test down

# Starts the Kafka of compose.yaml, and the demo on it.
run-dev:
	docker compose up --detach --wait
	npm install
	TAILRACE_BROKER=kafka://localhost:9092 npm run demo

# Starts the demo with nothing beside it: page views on http://localhost:8088/report/.
native-run:
	npm install
	npm run demo

# Runs all tests. None of them needs Docker; those on Kafka start it, with a JDK and Maven.
test:
	npm install
	npm test

# Stops the Kafka of compose.yaml and deletes what it stored. Tables in ./.tailrace stay; their log
# is gone then, and the next start wipes them by itself.
down:
	docker compose down --volumes
