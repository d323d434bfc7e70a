//! The environment as it was when the process started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::declare::{Presence, Subject, Variable};
use crate::error::ConfigError;
use crate::secret::SecretText;

/// The variables that configure the proxy for requests to other hosts.
const PROXY: [&str; 5] = ["http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

/// A snapshot of environment variables. Only the subjects of this crate read values from it.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Names only: some values are secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// Refuses misspelt settings: every `AIRLOCK_*` variable must belong to one of `subjects`.
    pub fn refuse_unknown(&self, subjects: &[&Subject]) -> Result<(), ConfigError> {
        let is_known = |name: &str| subjects.iter().any(|subject| subject.declares(name));
        let unknown = self.0.keys().find(|name| name.starts_with("AIRLOCK_") && !is_known(name));
        unknown.map_or(Ok(()), |name| Err(ConfigError::Unknown(name.clone())))
    }

    /// The proxy variables that are set, for programs that Airlock runs. A URL may hold a password.
    pub fn proxy(&self) -> Vec<(String, SecretText)> {
        let set = PROXY.iter().filter_map(|name| Some((*name, self.get(name)?)));
        set.map(|(name, value)| (name.to_owned(), SecretText::new(value.to_owned()))).collect()
    }

    /// Where systemd, if it started this process, wants to be told of its state: `NOTIFY_SOCKET`.
    pub fn notify_socket(&self) -> Option<OsString> {
        self.get("NOTIFY_SOCKET").map(OsString::from)
    }

    /// The directories in which programs are looked up: `PATH`.
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.get("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default()
    }

    /// The value of a variable without the white space around it. An empty one counts as absent: that is how
    /// `.env` files and CloudFormation write it.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(crate) fn required<T>(
        &self,
        variable: &Variable,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.optional(variable, parse)?.ok_or(ConfigError::Missing(variable.name))
    }

    /// The declared default goes through the same parser as a value that is set.
    pub(crate) fn defaulted<T>(
        &self,
        variable: &Variable,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let Presence::Defaulted(default) = variable.presence else {
            return Err(ConfigError::Missing(variable.name));
        };
        let value = self.get(variable.name).unwrap_or(default);
        parse(value).ok_or_else(|| variable.invalid(value))
    }

    pub(crate) fn optional<T>(
        &self,
        variable: &Variable,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.get(variable.name) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| variable.invalid(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AWS, CLIENT};

    #[test]
    fn unknown_names_of_ours_are_refused() {
        let with =
            |name: &str| Environment::from_pairs(&[(name, "x"), ("HOME", "/")]).refuse_unknown(&[&CLIENT]);
        assert_eq!(with("AIRLOCK_URL"), Ok(()));
        assert_eq!(with("OTHER"), Ok(()));
        assert_eq!(with("AIRLOCK_TYPO"), Err(ConfigError::Unknown("AIRLOCK_TYPO".into())));
        let env = Environment::from_pairs(&[("AIRLOCK_URL", "x")]);
        assert!(env.refuse_unknown(&[&AWS]).is_err(), "a setting of another function is unknown here");
    }

    #[test]
    fn an_environment_prints_no_values() {
        let env = Environment::from_pairs(&[("http_proxy", "http://u:pw@proxy"), ("PATH", "/a:/b")]);
        assert_eq!(format!("{env:?}"), r#"{"PATH", "http_proxy"}"#);
        assert_eq!(format!("{:?}", env.proxy()), r#"[("http_proxy", [redacted])]"#);
        assert_eq!(env.proxy()[0].1.exposed(), "http://u:pw@proxy");
        assert_eq!(env.search_path(), [PathBuf::from("/a"), "/b".into()]);
    }
}
