//! Places in buckets: a whole bucket, or the keys below a prefix of it.

use std::fmt;

use thiserror::Error;

use crate::id::BucketName;

/// A bucket, or the keys of it that begin with a prefix.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct BucketPlace {
    pub bucket: BucketName,
    /// Empty for the whole bucket. Has no character with a meaning in a policy's resource.
    pub prefix: String,
}

/// Text that names no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("expected a bucket such as s3://bucket or s3://bucket/prefix/, without * ? $")]
pub struct BucketPlaceError;

impl BucketPlace {
    /// Parses `bucket`, `bucket/prefix` and the same behind `s3://`.
    pub fn parse(text: &str) -> Result<Self, BucketPlaceError> {
        let name = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, prefix) = name.split_once('/').unwrap_or((name, ""));
        // In a policy's resource, the first three match other keys than themselves.
        let is_literal = !prefix.contains(['*', '?', '$']) && !prefix.chars().any(char::is_control);
        let bucket = BucketName::parse(bucket).ok().filter(|_| is_literal).ok_or(BucketPlaceError)?;
        Ok(Self { bucket, prefix: prefix.to_owned() })
    }

    /// Returns whether a place contains every key of another one.
    pub fn contains(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.prefix.starts_with(&self.prefix)
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_a_bucket_and_a_literal_prefix() {
        let place = BucketPlace::parse;
        assert_eq!(place("s3://bucket"), place("bucket/"));
        assert_eq!(place("s3://bucket/a/b").unwrap().prefix, "a/b");
        assert_eq!(place("bucket/a").unwrap().to_string(), "s3://bucket/a");
        for refused in
            ["", "s3://", "ab", "Bucket", "bucket/a*", "bucket/${aws:username}", "arn:aws:s3:::bucket"]
        {
            assert_eq!(place(refused), Err(BucketPlaceError), "{refused}");
        }
    }

    #[test]
    fn a_place_contains_its_keys_and_no_others() {
        let contains = |outer: &str, inner: &str| {
            BucketPlace::parse(outer).unwrap().contains(&BucketPlace::parse(inner).unwrap())
        };
        assert!(contains("bucket", "bucket/in/") && contains("bucket/in/", "bucket/in/a"));
        assert!(!contains("bucket/in/", "bucket") && !contains("bucket", "bucket2/in/"));
    }
}
