# A celeriac worker. Never built by the project's tests, which have no Docker engine; they run the commands it runs.
# Node 20 is what the tests run on: --build-arg NODE_VERSION=... for a later one.
ARG NODE_VERSION=20

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY examples ./examples
USER node
# The module with the tasks is named by CELERY_APP.
CMD ["npm", "run", "--silent", "worker", "--", "-l", "info"]
