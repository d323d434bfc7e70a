//! Log settings, and the variables that Lambda sets about the function.

use crate::declare::subject;
use crate::parse;

subject! {
    /// The level of the log.
    pub struct LogSettings: "Logging" {
        /// Debug logging.
        is_debug: bool = defaulted "DEBUG" {
            default: "false",
            allowed: "`true` or `false`; any other value counts as `false`",
            parameter: "Debug",
            parse: parse::is_true,
        }
        /// On AWS: the level without `DEBUG`. Lambda sets it from the function's logging configuration.
        lambda_level: String = defaulted "AWS_LAMBDA_LOG_LEVEL" {
            default: "info",
            allowed: "a level such as `info` or `warn`",
            parse: parse::text,
        }
    }
}

subject! {
    /// The variables that Lambda sets about the function.
    pub struct LambdaSettings: "Set by Lambda" {
        /// The function's name.
        function_name: Option<String> = optional "AWS_LAMBDA_FUNCTION_NAME" {
            default: "not on Lambda",
            allowed: "text",
            parse: parse::text,
        }
        /// Its memory.
        memory_size: Option<String> = optional "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" {
            default: "not on Lambda",
            unit: "megabytes",
            allowed: "text",
            parse: parse::text,
        }
        /// Its version.
        version: Option<String> = optional "AWS_LAMBDA_FUNCTION_VERSION" {
            default: "not on Lambda",
            allowed: "text",
            parse: parse::text,
        }
    }
}
