//! Lists the current objects, as `aws s3 ls`, rclone, s3cmd and boto3 request them (ListObjectsV2, and the
//! older ListObjects).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::utf8_percent_encode;
use rusqlite::{OptionalExtension as _, Transaction, params};
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, ObjectStorageClass,
};
use s3s::{S3Result, s3_error};

use super::Store;
use super::put::EVENT_KEY;
use super::rows::{self, ObjectRow};

/// The most keys and common prefixes on one of S3's pages.
const PAGE: i32 = 1000;
/// Sorts after every character that follows a prefix in a key.
const LAST_CHARACTER: char = char::MAX;

/// A query: keys below `prefix` and after `mark`; those with a `delimiter` after the prefix form one common
/// prefix.
struct Listing {
    prefix: String,
    delimiter: Option<String>,
    /// Earlier pages listed the keys and common prefixes up to this one.
    mark: String,
    n_max: usize,
}

#[derive(Default)]
struct Page {
    objects: Vec<ObjectRow>,
    prefixes: Vec<String>,
    /// The last key or common prefix, if there are more.
    next: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

impl Store {
    /// Errors: `NoSuchBucket`; `InvalidArgument` for a negative number of keys or a token that is not ours.
    pub(super) async fn list(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        self.check_bucket(&input.bucket)?;
        let n_max = page_size(input.max_keys)?;
        let token = input.continuation_token.as_deref().map(mark_of).transpose()?;
        let listing = Listing {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            mark: token.or_else(|| input.start_after.clone()).unwrap_or_default(),
            n_max,
        };
        let page = self.database.transact(move |tx| listing.page(tx)).await?;
        let shown = Shown::of(input.encoding_type.as_ref())?;
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(shown.text(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| shown.text(delimiter)),
            start_after: input.start_after.map(|key| shown.text(key)),
            continuation_token: input.continuation_token,
            max_keys: i32::try_from(n_max).ok(),
            key_count: i32::try_from(page.len()).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|mark| URL_SAFE_NO_PAD.encode(mark)),
            contents: Some(page.objects.into_iter().map(|row| shown.object(row)).collect()),
            common_prefixes: Some(page.prefixes.into_iter().map(|text| shown.prefix(text)).collect()),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }

    /// The same with markers instead of tokens.
    pub(super) async fn list_by_marker(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        self.check_bucket(&input.bucket)?;
        let n_max = page_size(input.max_keys)?;
        let listing = Listing {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().filter(|delimiter| !delimiter.is_empty()),
            mark: input.marker.clone().unwrap_or_default(),
            n_max,
        };
        let page = self.database.transact(move |tx| listing.page(tx)).await?;
        let shown = Shown::of(input.encoding_type.as_ref())?;
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(shown.text(input.prefix.unwrap_or_default())),
            delimiter: input.delimiter.map(|delimiter| shown.text(delimiter)),
            marker: Some(shown.text(input.marker.unwrap_or_default())),
            max_keys: i32::try_from(n_max).ok(),
            is_truncated: Some(page.next.is_some()),
            next_marker: page.next.map(|mark| shown.text(mark)),
            contents: Some(page.objects.into_iter().map(|row| shown.object(row)).collect()),
            common_prefixes: Some(page.prefixes.into_iter().map(|text| shown.prefix(text)).collect()),
            encoding_type: input.encoding_type,
            ..Default::default()
        })
    }
}

impl Listing {
    fn page(&self, tx: &Transaction<'_>) -> S3Result<Page> {
        let (mut page, mut after, mut last) = (Page::default(), self.mark.clone(), None);
        if self.n_max == 0 {
            return Ok(page);
        }
        while let Some(row) = self.next(tx, &after)? {
            let common = self.common_prefix(&row.key);
            // S3 leaves out a common prefix that is not greater than the mark.
            let is_new = common.as_ref().is_none_or(|common| *common > self.mark);
            if is_new && page.len() == self.n_max {
                page.next = last;
                break;
            }
            if let Some(common) = common {
                after = format!("{common}{LAST_CHARACTER}");
                if is_new && page.prefixes.last() != Some(&common) {
                    last = Some(common.clone());
                    page.prefixes.push(common);
                }
            } else {
                (after, last) = (row.key.clone(), Some(row.key.clone()));
                page.objects.push(row);
            }
        }
        Ok(page)
    }

    /// Returns the first object after the key `after`. One lookup in the index: a group of any size costs one
    /// step.
    fn next(&self, tx: &Transaction<'_>, after: &str) -> S3Result<Option<ObjectRow>> {
        let sql = format!(
            "SELECT {} FROM objects AS o WHERE key > ?1 AND key >= ?2 AND key < ?3
               AND NOT is_marker AND seq = (SELECT MAX(seq) FROM objects WHERE key = o.key)
             ORDER BY key LIMIT 1",
            rows::COLUMNS
        );
        let mut statement = tx.prepare_cached(&sql).map_err(rows::sqlite)?;
        let mut end = self.prefix.clone();
        let _ = write!(end, "{LAST_CHARACTER}{LAST_CHARACTER}");
        let found = statement.query_row(params![after, self.prefix, end], rows::read_row);
        found.optional().map_err(rows::sqlite)
    }

    /// Returns the part of a key up to the first delimiter after the prefix.
    fn common_prefix(&self, key: &str) -> Option<String> {
        let (delimiter, rest) = (self.delimiter.as_deref()?, key.strip_prefix(&self.prefix)?);
        let (group, _) = rest.split_once(delimiter)?;
        Some(format!("{}{group}{delimiter}", self.prefix))
    }
}

fn page_size(asked: Option<i32>) -> S3Result<usize> {
    usize::try_from(asked.unwrap_or(PAGE).min(PAGE))
        .map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))
}

fn mark_of(token: &str) -> S3Result<String> {
    let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not one that was given"))
}

/// How keys are written: unchanged, or percent-encoded, because XML 1.0 does not allow every character.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    Plain,
    Encoded,
}

impl Shown {
    pub(super) fn of(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self::Plain),
            Some(EncodingType::URL) => Ok(Self::Encoded),
            Some(_) => Err(s3_error!(InvalidArgument, "encoding-type must be `url`")),
        }
    }

    pub(super) fn text(self, text: String) -> String {
        match self {
            Self::Plain => text,
            Self::Encoded => utf8_percent_encode(&text, EVENT_KEY).to_string(),
        }
    }

    fn object(self, row: ObjectRow) -> Object {
        Object {
            key: Some(self.text(row.key)),
            size: row.size.try_into().ok(),
            e_tag: Some(ETag::Strong(row.etag)),
            last_modified: Some(rows::timestamp(row.modified_at)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Default::default()
        }
    }

    fn prefix(self, text: String) -> CommonPrefix {
        CommonPrefix { prefix: Some(self.text(text)) }
    }
}

#[cfg(test)]
mod tests;
