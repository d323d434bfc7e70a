//! Which bytes are ASCII in character sets of single bytes that are not an extension of ASCII: those of glibc
//! 2.36 (iconv) and of Python 3.11.

/// A set by its labels, without hyphens, and what differs: a character and its byte, again and again.
pub(super) type Page = (&'static str, &'static [u8]);

/// The printable characters of ASCII, from the space on, in code page 37 of EBCDIC.
pub(super) const PAGE_37: &[u8; 95] = b"\x40\x5a\x7f\x7b\x5b\x6c\x50\x7d\x4d\x5d\x5c\x4e\x6b\x60\x4b\x61\
    \xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\x7a\x5e\x4c\x7e\x6e\x6f\
    \x7c\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xd1\xd2\xd3\xd4\xd5\xd6\
    \xd7\xd8\xd9\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xba\xe0\xbb\xb0\x6d\
    \x79\x81\x82\x83\x84\x85\x86\x87\x88\x89\x91\x92\x93\x94\x95\x96\
    \x97\x98\x99\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xc0\x4f\xd0\xa1";

/// Of EBCDIC: what differs from code page 37.
pub(super) const EBCDIC: &[Page] = &[
    (
        "037 1070 1097 1112 1140 1156 12712 1371 16804 282 420 424 937 ebcdicatdea ebcdiccpar1 \
         ebcdiccpca ebcdiccphe ebcdiccpnl ebcdiccpus ebcdiccpwt ebcdicdknoa ebcdices ebcdicesa \
         ebcdicess ebcdicfisea ebcdicus osf10020025 osf100201a4 osf100201a8",
        b"",
    ),
    (
        "038 274 423 875 880 ebcdicbe ebcdiccpgr ebcdiccyrillic ebcdicgreek ebcdicint ebcdicpt \
         osf1002036b osf10020370",
        b"!\x4f[\x4a]\x5a^\x5f",
    ),
    (
        "1025 1123 1153 1154 1158 1166 4971 870 ebcdiccproece ebcdiccpyu osf10020366",
        b"!\x4f[\x4a]\x5a^\x5f|\x6a",
    ),
    ("1026 1155 osf10020402", b"!\x4f\"\xfc#\xec$\xad@\xae[\x68\\\xdc]\xac^\x5f`\x8d{\x48|\xbb}\x8c~\xcc"),
    ("1047 1137 osf10020417", b"[\xad]\xbd^\x5f"),
    ("1079 1145 284 ebcdiccpes osf1002011c", b"!\xbb#\x69[\x4a]\x5a^\xba~\xbd"),
    (
        "1081 1147 297 ebcdiccpfr osf10020129",
        b"!\x4f#\xb1@\x44[\x90\\\x48]\xb5^\x5f`\xa0{\x51|\xbb}\x54~\xbd",
    ),
    (
        "1084 1130 1148 1164 256 500 500v1 ebcdiccpbe ebcdiccpch ebcdicint1 osf100201f4",
        b"!\x4f[\x4a]\x5a^\x5f|\xbb",
    ),
    ("1122 1143 1157", b"!\x4f#\x63$\x67@\xec[\xb5\\\x71]\x9f^\x5f`\x51{\x43|\xbb}\x47~\xdc"),
    ("1132", b"[\x49]\x59^\x69k\x70"),
    ("1141 273 osf10020111", b"!\x4f@\xb5[\x63\\\xec]\xfc^\x5f{\x43|\xbb}\xdc~\x59"),
    (
        "1142 277 ebcdiccpdk ebcdiccpno osf10020115",
        b"!\x4f#\x4a$\x67@\x80[\x9e]\x9f^\x5f{\x9c|\xbb}\x47~\xdc",
    ),
    ("1144 280 ebcdiccpit osf10020118", b"!\x4f#\xb1@\xb5[\x90\\\x48]\x51^\x5f`\xdd{\x44|\xbb}\x54~\x58"),
    ("1146 285 ebcdiccpgb osf1002011d", b"$\x4a[\xb1^\xba~\xbc"),
    ("1149 871 ebcdiccpis osf10020367", b"!\x4f@\xac[\xae\\\xbe]\x9e^\xec`\x8c{\x8e|\xbb}\x9c~\xcc"),
    ("1160 9030", b"[\x49]\x59^\x69"),
    ("1364 933", b"[\x70\\\xb2]\x80"),
    ("1388 935", b"$\xe0\\\xb2~\xa0"),
    (
        "1390 930",
        b"$\xe0[\x70\\\xb2]\x80a\x62b\x63c\x64d\x65e\x66f\x67g\x68h\x69i\x71j\x72k\x73l\x74m\x75\
          n\x76o\x77p\x78q\x8br\x9bs\xabt\xb3u\xb4v\xb5w\xb6x\xb7y\xb8z\xb9~\xa0",
    ),
    ("1399 939", b"[\xad]\xbd"),
    ("275 ebcdicbr", b"!\x4f$\x5a^\x5f"),
    (
        "278 ebcdiccpfi ebcdiccpse osf10020116",
        b"!\x4f#\x63$\x67@\xec[\xb5]\x9f^\x5f`\x51{\x43|\xbb}\x47~\xdc",
    ),
    ("281 290 ebcdicjpe ebcdicjpkana osf10020122", b"$\xe0"),
    ("4517 ebcdicatde ebcdiccafr ebcdicfise ebcdicfr ebcdicit", b"!\x4f^\x5f"),
    ("4899 803 ebcdicuk", b"$\x4a"),
    ("905 ebcdiccptr", b"!\x4f\"\xfc#\xec$\xb9@\xaf[\x68\\\xdc]\xb6^\x5f`\xda{\x48|\x8f}\xb3~\xcc"),
    ("918 ebcdiccpar2 osf10020396", b"!\x4f[\x4a]\x5a^\x5f`\x6a|\xbb"),
    ("ebcdicdkno", b"!\x4f#\x4a^\x5f"),
    ("ebcdicisfriss", b"!\x4f#\x69$\x59%\x5a&\x5f<\x4a[\xac]\xbc|\x78"),
    // Python's.
    ("875", b"!\x4f[\x4a]\x5a^\x5f|\x6a"),
];

/// What is ASCII as well as the bytes of ASCII.
pub(super) const OTHERS: &[Page] = &[
    (
        "ansix3110 ansix31101983 csat500 csat5001983 csiso103t618bit csiso90 csiso99naplps iso69372 \
         iso693721983 isoir103 isoir90 isoir99 naplps t61 t618bit",
        b"#\xa6$\xa4",
    ),
    ("armscii8", b"(\xa5)\xa4,\xab-\xac.\xa9"),
    ("cp1133 ibm1133", b"k\xdf"),
    ("csiso139csn369103 csn369103 isoir139", b"$\xa4"),
    (
        "isiri3342",
        b" \xa0!\xa3(\xa9)\xa8*\xe8+\xab-\xad.\xa6/\xaf:\xba<\xbc=\xbd>\xbe[\xe3\\\xeb]\xe2{\xe5\
          |\xea}\xe4",
    ),
    (
        "macarabic macfarsi",
        b" \xa0!\xa1\"\xa2#\xa3$\xa4&\xa6'\xa7(\xa8)\xa9*\xaa+\xab-\xad.\xae/\xaf:\xba<\xbc=\xbd\
          >\xbe[\xdb\\\xdc]\xdd^\xde_\xdf{\xfb|\xfc}\xfd",
    ),
];
