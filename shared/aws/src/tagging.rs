//! Tags versions with their verdict, beside the tags that their uploader gave them.

use aws_sdk_s3::types::{Tag, Tagging};
use domain::id::{ObjectKey, VersionId};
use domain::tag::TagProfile;

use crate::error::{StoreError, StoreErrorKind};
use crate::objects::Objects;

/// S3's limit for one version.
const MAX_TAGS: usize = 10;

impl Objects {
    /// Tags one version for people and bucket policies; no decision depends on tags. The version's own tags
    /// stay, except that one of ten makes room, though not in a protected bucket: there the verdict's tag is
    /// not written, and a gate denies reads. Tags of any [`TagProfile`] are the service's, and replaced.
    /// Idempotent; of two concurrent calls the last one wins.
    pub async fn tag(
        &self,
        key: &ObjectKey,
        version: &VersionId,
        name: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::caused("tag an object", StoreErrorKind::Unexpected, error);
        let (bucket, is_protected) = (self.bucket_of(key), key.bucket().is_some());
        let (key, version) = (key.to_string(), version.as_str());
        let read = self.client.get_object_tagging().bucket(bucket).key(&key).version_id(version);
        let stored = read.send().await.map_err(|error| StoreError::of_sdk("read an object's tags", error))?;
        let tag = Tag::builder().key(name).value(value).build().map_err(failed)?;
        let (own, n_dropped) = own_tags(&stored.tag_set);
        if n_dropped > 0 && is_protected {
            tracing::warn!(
                object.bucket = bucket,
                object.key = key,
                "an object has ten tags: its verdict's was not written"
            );
            return Ok(());
        }
        if n_dropped > 0 {
            tracing::warn!(object.key = key, tag.dropped = n_dropped, "a tag made room for the verdict's");
        }
        let tags: Vec<Tag> = own.into_iter().chain([tag]).collect();
        if tags.len() == stored.tag_set.len() && tags.iter().all(|tag| stored.tag_set.contains(tag)) {
            return Ok(()); // A redelivery, or a rescan with the same verdict. A write costs ten reads.
        }
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(failed)?;
        let request = self.client.put_object_tagging().bucket(bucket).key(key).version_id(version);
        let tagged = request.tagging(tagging).send().await;
        tagged.map(drop).map_err(|error| StoreError::of_sdk("tag an object", error))
    }
}

/// The tags that are not a verdict's, as many as leave room for one, and how many had to be dropped.
fn own_tags(tags: &[Tag]) -> (Vec<Tag>, usize) {
    // Whatever the case of their letters, as in the bucket's policy: readers may ignore it.
    let is_verdict =
        |tag: &Tag| TagProfile::ALL.iter().any(|profile| profile.key().eq_ignore_ascii_case(tag.key()));
    let mut own: Vec<Tag> = tags.iter().filter(|tag| !is_verdict(tag)).cloned().collect();
    let n_dropped = own.len().saturating_sub(MAX_TAGS - 1);
    own.truncate(MAX_TAGS - 1);
    (own, n_dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| Tag::builder().key(*name).value("v").build().unwrap()).collect()
    }

    #[test]
    fn own_tags_stay_and_those_of_verdicts_go() {
        let stored = tags(&["team", "scan-status", "GuardDutyMalwareScanStatus", "Airlock-Status", "cost"]);
        assert_eq!(own_tags(&stored), (tags(&["team", "cost"]), 0));
    }

    #[test]
    fn a_full_set_makes_room_for_the_verdict() {
        let names: Vec<String> = (0..MAX_TAGS).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(own_tags(&tags(&names)), (tags(&names[..MAX_TAGS - 1]), 1));
        assert_eq!(own_tags(&tags(&names[1..])), (tags(&names[1..]), 0));
    }
}
