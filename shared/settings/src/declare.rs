//! The declaration of a variable, from which its parser, its field's documentation and its table row come.

use crate::error::ConfigError;

/// What applies if a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// This text is parsed in its place.
    Defaulted(&'static str),
    /// The setting is absent, which means this.
    Optional(&'static str),
    /// The start fails.
    Required,
}

/// One environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    pub presence: Presence,
    /// Empty if the value has no unit.
    pub unit: &'static str,
    /// Which values are allowed; completes "must be".
    pub allowed: &'static str,
    /// The parameter of `template.yaml` that sets it; empty if none does.
    pub parameter: &'static str,
    /// What it is for: the first part of its field's documentation.
    pub about: &'static str,
    pub is_secret: bool,
}

/// Variables that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub title: &'static str,
    pub variables: &'static [Variable],
}

impl Variable {
    /// The error for a value that is not allowed. It does not repeat the value of a secret.
    pub(crate) fn invalid(&self, value: &str) -> ConfigError {
        let why = format!("must be {}", self.allowed);
        if self.is_secret {
            ConfigError::InvalidSecret { name: self.name, why }
        } else {
            ConfigError::Invalid { name: self.name, value: value.to_owned(), why }
        }
    }
}

impl Subject {
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.variables.iter().any(|variable| variable.name == name)
    }
}

/// Declares the variables of one subject. Expands to a struct with a documented field for each of them, its
/// `read`, and its [`Subject`].
///
/// A field is `name: Type = how "VARIABLE" { .. }`, where `how` is `defaulted` (with the default, as an
/// operator writes it), `optional` (with what absence means) or `required`. `parse` maps an allowed value to
/// `Some`.
macro_rules! subject {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident: $title:literal {
            $(
                $(#[doc = $about:literal])+
                $field:ident: $type:ty = $how:ident $variable:literal {
                    $(secret: $secret:literal,)?
                    $(default: $default:literal,)?
                    $(unit: $unit:literal,)?
                    allowed: $allowed:literal,
                    $(parameter: $parameter:literal,)?
                    parse: $parse:expr,
                }
            )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[doc = $about])+
                #[doc = ""]
                #[doc = concat!(
                    "Environment variable `", $variable, "` (", stringify!($how) $(, ": ", $default)?, ")",
                    $(", in ", $unit,)? "; must be ", $allowed, "."
                )]
                pub $field: $type,
            )+
        }

        impl $name {
            pub const SUBJECT: crate::Subject = crate::Subject {
                title: $title,
                variables: &[$(crate::Variable {
                    name: $variable,
                    presence: crate::declare::subject!(@presence $how $($default)?),
                    unit: concat!($($unit)?),
                    allowed: $allowed,
                    parameter: concat!($($parameter)?),
                    about: concat!($($about),+),
                    is_secret: crate::declare::subject!(@is_secret $($secret)?),
                }),+],
            };

            /// Reads and validates the variables of this subject.
            pub fn read(env: &crate::Environment) -> Result<Self, crate::ConfigError> {
                let mut variables = Self::SUBJECT.variables.iter();
                Ok(Self {
                    $($field: {
                        let variable = variables.next().ok_or(crate::ConfigError::Missing($variable))?;
                        env.$how(variable, $parse)?
                    },)+
                })
            }
        }
    };
    (@presence defaulted $default:literal) => { crate::Presence::Defaulted($default) };
    (@presence optional $absence:literal) => { crate::Presence::Optional($absence) };
    (@presence required) => { crate::Presence::Required };
    (@is_secret) => { false };
    (@is_secret $secret:literal) => { $secret };
}
pub(crate) use subject;
