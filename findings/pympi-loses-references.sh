#!/bin/sh
# pympi-ling 1.71 reads an ELAN file (EAF 3.0) and writes it back without, among others: the entry of its controlled
# vocabulary that an annotation stands for (CVE_REF), external references of annotations (EXT_REF), and links between
# annotations (REF_LINK_SET). No warning and no error. Whoever adds a tier to a colleague's file by it, and saves it under
# the same name, loses them. Seen 2026-11-30; earful changes ELAN files by lxml, with all that is in them.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pympi-ling==1.71
cd "$folder"
cat > before.eaf <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-02T03:04:05+01:00" FORMAT="3.0" VERSION="3.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><PROPERTY NAME="lastUsedAnnotationId">2</PROPERTY></HEADER>
<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="900"/>
</TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="said" TIER_ID="said"><ANNOTATION>
<ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2" EXT_REF="er1">
<ANNOTATION_VALUE>fish</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER LINGUISTIC_TYPE_REF="kind" PARENT_REF="said" TIER_ID="kind"><ANNOTATION>
<REF_ANNOTATION ANNOTATION_ID="a2" ANNOTATION_REF="a1" CVE_REF="cve1"><ANNOTATION_VALUE>noun</ANNOTATION_VALUE></REF_ANNOTATION>
</ANNOTATION></TIER>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="said" TIME_ALIGNABLE="true" GRAPHIC_REFERENCES="false"/>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="kind" TIME_ALIGNABLE="false" GRAPHIC_REFERENCES="false"
 CONSTRAINTS="Symbolic_Association" CONTROLLED_VOCABULARY_REF="kinds"/>
<LANGUAGE LANG_ID="eng" LANG_LABEL="English (eng)" LANG_DEF="http://cdb.iso.org/lg/CDB-00138502-001"/>
<CONSTRAINT STEREOTYPE="Symbolic_Association" DESCRIPTION="1-1 association with a parent annotation"/>
<CONTROLLED_VOCABULARY CV_ID="kinds"><DESCRIPTION LANG_REF="eng"/>
<CV_ENTRY_ML CVE_ID="cve1"><CVE_VALUE DESCRIPTION="" LANG_REF="eng">noun</CVE_VALUE></CV_ENTRY_ML>
</CONTROLLED_VOCABULARY>
<REF_LINK_SET LINK_SET_ID="rls1" LINK_SET_NAME="links"><CROSS_REF_LINK REF_LINK_ID="rl1" REF1="a1" REF2="a2"/></REF_LINK_SET>
<EXTERNAL_REF EXT_REF_ID="er1" TYPE="resource_url" VALUE="http://example.org/fish"/>
</ANNOTATION_DOCUMENT>
XML
"$folder/venv/bin/python" - > seen 2>&1 <<'PY'
import pympi

pympi.Eaf("before.eaf").to_file("after.eaf")
before, after = (open(name, encoding="utf-8").read() for name in ("before.eaf", "after.eaf"))
for part in ("CVE_REF=", "EXT_REF=", "<REF_LINK_SET", "<CONTROLLED_VOCABULARY ", "<EXTERNAL_REF "):
    print(part, before.count(part), after.count(part))
PY
cat seen
cat > expected <<'OUT'
CVE_REF= 1 0
EXT_REF= 1 0
<REF_LINK_SET 1 0
<CONTROLLED_VOCABULARY  1 1
<EXTERNAL_REF  1 1
OUT
cmp seen expected
