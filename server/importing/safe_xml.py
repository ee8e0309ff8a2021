"""Reading XML from elsewhere: what a file may do to its reader is bounded.

No document type, so no entities of its own; nothing is fetched; depth and sizes are those that the parser allows.
"""

from lxml import etree

from schemas.errors import UsageError


def read_xml(raw: bytes, name: str) -> etree._Element:
    """The root element, without comments and processing instructions.

    Args:
        raw: the document; whoever calls has looked at its size.
        name: what the source is called in an error.

    Raises:
        UsageError: it cannot be read, or has a document type.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UsageError(f"{name}: is no XML that can be read: {error}. Nothing was imported") from None
    if root.getroottree().docinfo.doctype:
        raise UsageError(f"{name}: has a document type, which is not read here. Nothing was imported")
    return root
