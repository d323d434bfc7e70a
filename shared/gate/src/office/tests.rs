//! Tests which passwords open encrypted documents, by each method, and what the engine is given of them.

mod made;

use domain::password::Password;
use domain::verdict::{Decryption, Unscannable};

use super::hash::{Hash, utf16_le};
use super::rc4::Rc4Stream;
use crate::compound;
use crate::scratch::Scratch;
use crate::walk::{Stop, Walk};
use crate::{Blob, Gate, Limits, Sample};

use made::{
    EICAR, Place, SALT, Streams, agile, compound_file, crypto_api_key, moved, obfuscated_workbook,
    power_point, rc4_keys, record, standard, word, workbook,
};

const EXCEL: &str = "VelvetSweatshop";
const POWER_POINT: &str = "/01Hannes Ruescher/01";

/// The members handed over that contain EICAR, at their start or elsewhere, and whether the password was
/// needed; or the reason of the refusal.
fn inspected(streams: &[(&str, Vec<u8>)], password: Option<&str>) -> Result<(bool, bool), Unscannable> {
    let limits =
        Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 22, max_members: 1000, max_depth: 5 };
    let gate = Gate { limits, capabilities: Sample::ALL.iter().map(|sample| sample.method).collect() };
    let mut walk = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
    walk.password = password.map(|password| Password::parse(password).unwrap());
    match compound::walk(&mut walk, &Blob::from_bytes(compound_file(streams)), 0) {
        Ok(()) => {}
        Err(Stop::Refused(refusal) | Stop::Disputed(refusal) | Stop::Locked(refusal)) => {
            return Err(refusal.reason);
        }
        Err(Stop::Trouble(error)) => panic!("{error}"),
    }
    let needed_password = walk.decryption == Decryption::Password;
    let has_eicar = |blob: &Blob| memchr::memmem::find(&blob.bytes_at(0, 1 << 20).unwrap(), EICAR).is_some();
    Ok((walk.into_handed().iter().any(has_eicar), needed_password))
}

/// A document opens with the passwords that programs know, with the uploader's, and with no other.
#[track_caller]
fn check(what: &str, document: impl Fn(&str) -> Streams) {
    for known in [EXCEL, POWER_POINT] {
        assert_eq!(inspected(&document(known), None), Ok((true, false)), "{what}");
        assert_eq!(inspected(&document(known), Some("secret")), Ok((true, false)), "{what}");
        assert_eq!(inspected(&document(known), Some(known)), Ok((true, false)), "{what}");
    }
    let secret = document("secret");
    assert_eq!(inspected(&secret, Some("secret")), Ok((true, true)), "{what}");
    assert_eq!(inspected(&secret, Some("Secret")), Err(Unscannable::Encrypted), "{what}");
    assert_eq!(inspected(&secret, None), Err(Unscannable::Encrypted), "{what}");
}

#[test]
fn packages_open_with_every_algorithm() {
    let hashes = [
        (Hash::Sha1, "SHA1", 128),
        (Hash::Sha256, "SHA256", 192),
        (Hash::Sha384, "SHA384", 256),
        (Hash::Sha512, "SHA512", 256),
        (Hash::Sha512, "SHA-512", 128),
    ];
    for (hash, name, n_key_bits) in hashes {
        check(name, |password| agile(password, hash, name, n_key_bits));
    }
    for (algorithm, n_key_bits) in [(0x660e, 128), (0x660f, 192), (0x6610, 256)] {
        check("standard", |password| standard(password, algorithm, n_key_bits));
    }
}

#[test]
fn binary_documents_open_with_every_algorithm() {
    for index in 0..3 {
        check("workbook", |password| vec![("Workbook", workbook(&rc4_keys(password)[index]))]);
        check("moved", |password| {
            let key = crypto_api_key(password, 16);
            vec![("Book", workbook(&key)), ("encryption", moved(&key))]
        });
        check("word", |password| word(&rc4_keys(password)[index]));
        check("pivot cache", |password| {
            let key = &rc4_keys(password)[index];
            let mut data = EICAR.to_vec();
            let mut stream = Rc4Stream::new(key.clone(), 1024);
            stream.skip(4);
            stream.apply(&mut data);
            vec![("Workbook", workbook(key)), ("00A1", record(0x00cd, &data))]
        });
    }
}

/// With the key, verifier and array that another implementation computes.
#[test]
fn obfuscated_workbooks_open() {
    let array =
        [0x87, 0x6b, 0x9a, 0xe2, 0x1e, 0xe3, 0x05, 0x62, 0x1e, 0x69, 0x96, 0x60, 0x98, 0x6e, 0x94, 0x04];
    let book = |verifier| vec![("Workbook", obfuscated_workbook(0xb359, verifier, array))];
    for password in [None, Some("secret"), Some(EXCEL)] {
        assert_eq!(inspected(&book(0x9a0a), password), Ok((true, false)));
    }
    refused(book(0x9a0b));
}

#[test]
fn presentations_open() {
    for place in [Place::Object, Place::Picture] {
        for (token, n_bytes) in [(0xf3d1_c4df, 5), (0xf3d1_c4df, 16), (0xe391_c05f, 16)] {
            check("presentation", |password| power_point(&crypto_api_key(password, n_bytes), token, place));
        }
    }
    let key = crypto_api_key(EXCEL, 16);
    let mut overlapping = power_point(&key, 0xf3d1_c4df, Place::Object);
    key.cipher(1).apply(&mut overlapping[1].1[..8]);
    overlapping[1].1[5] = 4;
    key.cipher(1).apply(&mut overlapping[1].1[..8]);
    let mut pictures = power_point(&key, 0xf3d1_c4df, Place::Object);
    pictures[2].1[2] ^= 0x80;
    for damaged in [overlapping, pictures] {
        refused(damaged);
    }
    let mut moved_badly = power_point(&key, 0xf3d1_c4df, Place::Object);
    moved_badly.push(("EncryptedSummary", vec![1; 100]));
    refused(moved_badly);
    let mut moved_well = power_point(&key, 0xf3d1_c4df, Place::Object);
    moved_well.push(("EncryptedSummary", moved(&key)));
    assert_eq!(inspected(&moved_well, None), Ok((true, false)));
}

#[track_caller]
fn refused(streams: impl AsRef<[(&'static str, Vec<u8>)]>) {
    assert_eq!(inspected(streams.as_ref(), None), Err(Unscannable::Encrypted));
}

#[test]
fn damaged_headers_are_refused() {
    let changed = |mut streams: Streams, from: &[u8], to: &[u8]| {
        let bytes = &mut streams[0].1;
        let at = memchr::memmem::find(bytes, from).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to);
        streams
    };
    let sound = || agile(EXCEL, Hash::Sha512, "SHA512", 256);
    assert_eq!(inspected(&sound(), None), Ok((true, false)));
    for (from, to) in [
        ("CBC", "CFB"),
        ("AES", "RC2"),
        ("SHA512", "SHA513"),
        ("keyBits='256", "keyBits='128"),
        ("saltSize='16", "saltSize='15"),
        ("hashSize=\"64", "hashSize=\"63"),
        ("spinCount='20'", "spinCount='21'"),
        ("spinCount", "spinCoun?"),
        ("<keyData", "<keyDat?"),
        ("encryptedKeyValue='", "encryptedKeyValue='?"),
        ("encryptedVerifierHashInput='", "encryptedVerifierHashInput='AAAA"),
    ] {
        refused(changed(sound(), from.as_bytes(), to.as_bytes()));
    }
    refused(changed(sound(), &[4, 0, 4, 0], &[3, 0, 3, 0]));
    refused(&sound()[1..]);
    let second = b"<keyData/> ";
    // An invalid package: content that cannot be parsed must not pass.
    refused(vec![sound().remove(0), ("EncryptedPackage", vec![1; 5000])]);
    let mut with_two = sound();
    let n_bytes = with_two[0].1.len();
    with_two[0].1[n_bytes - second.len()..].copy_from_slice(second);
    refused(with_two);
    let standard = || standard(EXCEL, 0x660e, 128);
    refused(changed(standard(), &[3, 0, 2, 0], &[3, 0, 3, 0]));
    refused(changed(standard(), &[0x0e, 0x66], &[0x0f, 0x66]));
    refused(changed(standard(), &[34, 0, 0, 0], &[0xff, 0xff, 0xff, 0xff]));
    let book = || vec![("Workbook", workbook(&rc4_keys(EXCEL)[0]))];
    refused(changed(book(), &[1, 0, 1, 0, 1, 0], &[2, 0, 1, 0, 1, 0]));
    refused(changed(book(), &SALT, &[8]));
    let moved =
        |bytes: Vec<u8>| vec![("Workbook", workbook(&crypto_api_key(EXCEL, 5))), ("encryption", bytes)];
    refused(moved(vec![0xff; 100]));
    refused(vec![("Current User", [&[0; 12][..], &0xf3d1_c4df_u32.to_le_bytes()].concat())]);
    refused(vec![("EncryptedSummary", vec![1; 100])]);
}

#[test]
fn what_is_not_encrypted_is_not_refused() {
    let part = [record(0x0809, &[0; 16]), record(0x000a, &[]), record(0x002f, &[0; 6])].concat();
    let mut document = [0; 68];
    document[..2].copy_from_slice(&0xa5ec_u16.to_le_bytes());
    let mut older = document;
    (older[0], older[11]) = (0xdc, 1);
    let user = [&[0; 12][..], &0xe391_c05f_u32.to_le_bytes()].concat();
    for (name, bytes) in [
        ("Workbook", part),
        ("WordDocument", document.to_vec()),
        ("WordDocument", older.to_vec()),
        ("Current User", user),
        ("encryption", b"of something else".to_vec()),
        ("EncryptionInfo", vec![]),
    ] {
        assert_eq!(inspected(&[(name, bytes)], None), Ok((false, false)), "{name}");
    }
}

/// Converted to a mail, a body is UTF-8, and readers of mail decode what is encoded in it.
#[test]
fn what_is_encoded_in_the_body_of_a_message_is_decoded() {
    const BODY: &str = r#"
begin 644 e.com
M6#5/(5`E0$%06S1<4%I8-30H4%XI-T-#*3=])$5)0T%2+5-404Y$05)$+4%.
75$E625)54RU415-4+49)3$4A)$@K2"H`
`
end
"#;
    for name in ["__substg1.0_1000001F", "__substg1.0_1013001F"] {
        assert_eq!(inspected(&[(name, utf16_le(BODY))], None), Ok((true, false)), "{name}");
    }
}
