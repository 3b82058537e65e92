#!/bin/sh
# Runs after npm ci (a checkout: builds everything) and after npm install leasehold (a package: the bundle and a static
# guard are in it; compiles a guard only where that one doesn't run, e.g. on another kind of processor).
set -eu
cd "$(dirname "$0")/.."

if [ -f src/main.ts ]; then
    # npm puts node_modules/.bin first, so that this is the pinned Node and not the one that runs npm.
    case $(node --version) in
    v24.*) exec node tools/build.ts ;;
    esac
    echo "leasehold: the pinned Node 24 is missing; run npm ci without --ignore-scripts" >&2
    exit 1
fi

dist/leasehold --version >/dev/null 2>&1 || sh tools/guard.sh release dist/leasehold
ln -sfn "$(node -p 'path.relative("dist", require.resolve("node/package.json") + "/../bin/node")')" dist/node
