#!/bin/sh
# The rendered release on stdin, with the patches of kustomization $1, to stdout.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$1" "$work/kustomization.yaml"
cat >"$work/rendered.yaml"
kubectl kustomize "$work"
