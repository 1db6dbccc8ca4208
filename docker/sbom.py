"""Reads what was compiled in (JSON), and writes it as CycloneDX 1.6, checked against its schema."""

import json
import sys

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL


def component(one):
    group, _, name = one["name"].rpartition("/")
    licenses = LicenseFactory()
    return Component(
        type=ComponentType.LIBRARY,
        group=group or None,
        name=name,
        version=one["version"],
        purl=PackageURL(one["kind"], group or None, name, one["version"]),
        bom_ref=f"{one['kind']}:{one['name']}@{one['version']}",
        # Cargo's older way to say OR.
        licenses=[licenses.make_from_string(one["license"].replace("/", " OR "))] if one["license"] else [],
    )


def main():
    described = json.load(sys.stdin)
    bom = Bom(components=[component(one) for one in described["components"]])
    bom.metadata.component = Component(type=ComponentType.APPLICATION, name=described["name"], version=described["version"], bom_ref="headwater")
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault:
        raise SystemExit(f"the list is not CycloneDX: {fault}")
    print(text)


if __name__ == "__main__":
    main()
