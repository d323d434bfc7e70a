//! No secret is ever printed: not by its own `Debug`, and not by that of a struct around it.

use settings::{
    Environment, EventSettings, IdentitySettings, LinkSettings, PasswordSettings, SUBJECTS, SecretText,
    TokenSettings,
};

const MARK: &str = "correct-horse-battery-staple-32-bytes";

#[test]
fn a_secret_prints_as_redacted() {
    let secret = SecretText::new(MARK.to_owned());
    assert_eq!((format!("{secret}"), format!("{secret:?}")), ("[redacted]".into(), "[redacted]".into()));
    assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    [redacted],\n)");
    assert_eq!(secret.exposed(), MARK);
}

#[test]
fn structs_with_secrets_do_not_print_them() {
    let names = ["SECRET_KEY", "JWT_SECRET", "PASSWORD_KEY", "WEBHOOK_URLS", "WEBHOOK_SECRET"];
    let mut pairs = names.map(|name| (name, MARK)).to_vec();
    pairs.extend([("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a")]);
    let env = Environment::from_pairs(&pairs);
    let events = EventSettings::read(&env).unwrap();
    let printed = [
        format!("{:?}", LinkSettings::read(&env).unwrap()),
        format!("{:?}", TokenSettings::read(&env).unwrap()),
        format!("{:#?}", IdentitySettings::read(&env).unwrap()),
        format!("{:?}", PasswordSettings::read(&env).unwrap()),
        format!("{events:?} {events:#?}"),
        format!("{env:?}"),
    ];
    for text in &printed {
        assert!(!text.contains(MARK), "{text}");
    }
    assert!(printed[..5].iter().all(|text| text.contains("[redacted]")), "{printed:?}");
    assert_eq!(events.webhook_urls[0].exposed(), MARK);
    let declared =
        SUBJECTS.iter().flat_map(|subject| subject.variables).filter(|variable| variable.is_secret);
    let read_elsewhere = ["AWS_SECRET_ACCESS_KEY", "AIRLOCK_TOKEN"];
    let declared = declared.map(|variable| variable.name).filter(|name| !read_elsewhere.contains(name));
    let (mut declared, mut names) = (declared.collect::<Vec<_>>(), names.to_vec());
    declared.sort_unstable();
    names.sort_unstable();
    assert_eq!(declared, names, "a secret is missing in this test");
}
