#!/usr/bin/env python3
"""The bill of materials of the binary, as CycloneDX 1.5 in JSON, from what cargo itself says of the tree.

    scripts/sbom.py [--target TRIPLE] > tidegate.cdx.json

It lists the crates that end up in the binary (no tests, no benches) with their checksums of Cargo.lock. The C code that some
of them carry (aws-lc, libpg_query, SQLite, mimalloc) is part of those crates. The same source gives the same file.
"""

import argparse
import json
import os
import subprocess
import tomllib
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", default="x86_64-unknown-linux-gnu")
    options = parser.parse_args()
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", options.target],
        cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    edges = {node["id"]: [dep["pkg"] for dep in node["deps"] if is_built_in(dep)] for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    reached, waiting = {root}, [root]
    while waiting:
        for found in edges[waiting.pop()]:
            if found not in reached:
                reached.add(found)
                waiting.append(found)
    sums = checksums()
    order = sorted(reached - {root}, key=lambda it: (packages[it]["name"], packages[it]["version"]))
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {**component(packages[root], sums), "type": "application"}},
        "components": [component(packages[it], sums) for it in order],
        "dependencies": [{"ref": name(packages[it]), "dependsOn": sorted({name(packages[dep]) for dep in edges[it]})}
                         for it in [root, *order]],
    }
    text = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}"
    print(json.dumps(document, indent=1))


def is_built_in(dependency):
    """Whether it is more than a development dependency. What builds the binary counts: it writes code into it."""
    return any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"])


def component(package, sums):
    found = {"type": "library", "bom-ref": name(package), "name": package["name"], "version": package["version"],
             "purl": name(package)}
    if package["license"]:
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def name(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def checksums():
    with open(os.path.join(ROOT, "Cargo.lock"), "rb") as file:
        locked = tomllib.load(file)["package"]
    return {(it["name"], it["version"]): it.get("checksum") for it in locked if it.get("source") == CRATES_IO}


if __name__ == "__main__":
    main()
