"""Every field of Celigo's integration document and how the pages show it.

Source: Celigo help, "Integration API endpoints", and the developer reference's field lists. What holds a customer's own
values (`settings`, forms with their defaults, a step's connection configuration) is secret until proven otherwise.
"""

from __future__ import annotations

from integrations_app.vendors.base import DocumentField, FieldKind

# The four lists of steps an integration may carry, each with the heading it stands under.
STEP_LISTS = (
    ("installSteps", "Install steps"),
    ("install", "Install steps (older apps)"),
    ("uninstallSteps", "Uninstall steps"),
    ("changeEditionSteps", "Steps to change the edition"),
)

_FACTS = (
    DocumentField("_id", "Integration id", FieldKind.CODE),
    DocumentField("name", "Name"),
    DocumentField("description", "Description"),
    DocumentField("readme", "Read me"),
    DocumentField("mode", "Mode", FieldKind.CODE),
    DocumentField("version", "Version", FieldKind.CODE),
    DocumentField("tag", "Tag", FieldKind.CODE),
    DocumentField("updateInProgress", "Update in progress", FieldKind.TRUTH),
    DocumentField("sandbox", "In the sandbox", FieldKind.TRUTH),
    DocumentField("createdAt", "Created", FieldKind.TIME),
    DocumentField("lastModified", "Last changed", FieldKind.TIME),
    DocumentField("settings", "Settings", FieldKind.SECRET),
    DocumentField("settingsForm", "Settings form", FieldKind.SECRET),
)

_HEALTH = (
    DocumentField("numFlows", "Flows", FieldKind.NUMBER, "Health"),
    DocumentField("numError", "Open errors", FieldKind.NUMBER, "Health"),
    DocumentField("lastErrorAt", "Last error", FieldKind.TIME, "Health"),
    DocumentField("numRegisteredConnections", "Registered connections", FieldKind.NUMBER, "Health"),
    DocumentField("numOfflineConnections", "Connections offline", FieldKind.NUMBER, "Health"),
    DocumentField("_registeredConnectionIds", "Registered connection ids", FieldKind.LIST, "Health"),
    DocumentField("_registeredLookupCacheIds", "Registered lookup caches", FieldKind.LIST, "Health"),
)

_LINEAGE = (
    DocumentField("_connectorId", "Integration App (connector)", FieldKind.CODE, "Where it comes from"),
    DocumentField("_templateId", "Template", FieldKind.CODE, "Where it comes from"),
    DocumentField("_sourceId", "Cloned from", FieldKind.CODE, "Where it comes from"),
    DocumentField("_parentId", "Parent integration", FieldKind.CODE, "Where it comes from"),
    DocumentField("_environmentId", "Environment", FieldKind.CODE, "Where it comes from"),
)

_ALIASES = (
    DocumentField("aliases[].alias", "Alias", FieldKind.CODE, "Aliases"),
    DocumentField("aliases[].description", "Description", FieldKind.TEXT, "Aliases"),
    DocumentField("aliases[]._connectionId", "Connection", FieldKind.CODE, "Aliases"),
    DocumentField("aliases[]._exportId", "Export", FieldKind.CODE, "Aliases"),
    DocumentField("aliases[]._importId", "Import", FieldKind.CODE, "Aliases"),
    DocumentField("aliases[]._flowId", "Flow", FieldKind.CODE, "Aliases"),
    DocumentField("aliases[]._scriptId", "Script", FieldKind.CODE, "Aliases"),
)


def _groupings(name: str, heading: str) -> tuple[DocumentField, ...]:
    return (
        DocumentField(f"{name}[]._id", "Group id", FieldKind.CODE, heading),
        DocumentField(f"{name}[].name", "Name", FieldKind.TEXT, heading),
        DocumentField(f"{name}[].settings", "Settings", FieldKind.SECRET, heading),
        DocumentField(f"{name}[].settingsForm", "Settings form", FieldKind.SECRET, heading),
    )


def _steps(name: str, heading: str) -> tuple[DocumentField, ...]:
    return (
        DocumentField(f"{name}[].name", "Step", FieldKind.TEXT, heading),
        DocumentField(f"{name}[].description", "Description", FieldKind.TEXT, heading),
        DocumentField(f"{name}[].type", "Type", FieldKind.CODE, heading),
        DocumentField(f"{name}[].completed", "Completed", FieldKind.TRUTH, heading),
        DocumentField(f"{name}[]._connectionId", "Connection", FieldKind.CODE, heading),
        DocumentField(f"{name}[].sourceConnection.name", "Connection name", FieldKind.TEXT, heading),
        DocumentField(f"{name}[].sourceConnection.type", "Connection type", FieldKind.CODE, heading),
        DocumentField(f"{name}[].sourceConnection.http", "Connection configuration", FieldKind.SECRET, heading),
        DocumentField(f"{name}[].form", "Form", FieldKind.SECRET, heading),
        DocumentField(f"{name}[].initFormFunction", "Function that fills the form", FieldKind.CODE, heading),
        DocumentField(f"{name}[].installerFunction", "Installer function", FieldKind.CODE, heading),
        DocumentField(f"{name}[].uninstallerFunction", "Uninstaller function", FieldKind.CODE, heading),
        DocumentField(f"{name}[].function", "Function", FieldKind.CODE, heading),
        DocumentField(f"{name}[].templateZip", "Copies a template archive", FieldKind.TRUTH, heading),
        DocumentField(f"{name}[].isClone", "Part of a clone", FieldKind.TRUTH, heading),
        DocumentField(f"{name}[]._stackId", "Stack", FieldKind.CODE, heading),
        DocumentField(f"{name}[].installURL", "Install address", FieldKind.ADDRESS, heading),
        DocumentField(f"{name}[].uninstallURL", "Uninstall address", FieldKind.ADDRESS, heading),
        DocumentField(f"{name}[].url", "Address", FieldKind.ADDRESS, heading),
        DocumentField(f"{name}[].imageURL", "Picture", FieldKind.ADDRESS, heading),
    )


DOCUMENT_FIELDS: tuple[DocumentField, ...] = (
    *_FACTS,
    *_HEALTH,
    *_LINEAGE,
    *_groupings("flowGroupings", "Flow groups"),
    *_groupings("apiGroupings", "API groups"),
    *_ALIASES,
    *(field for name, heading in STEP_LISTS for field in _steps(name, heading)),
)
