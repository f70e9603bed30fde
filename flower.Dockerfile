# The Python side: Flower, and the programs in scripts/python, with the versions that the tests use.
# Never built by the project's tests, which have no Docker engine.
FROM python:3.11-slim-bookworm
WORKDIR /app
COPY scripts/python/requirements.txt scripts/python/requirements.txt
RUN pip install --no-cache-dir --no-deps -r scripts/python/requirements.txt
COPY scripts/python scripts/python
USER nobody
EXPOSE 5555
# Broker and results come from CELERY_BROKER_URL and CELERY_RESULT_BACKEND.
CMD ["celery", "flower", "--address=0.0.0.0", "--port=5555"]
