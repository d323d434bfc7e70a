//! Counts downloads, in one atomic write that repeats every condition of the grant.

use aws_sdk_dynamodb::types::ReturnValue;
use domain::access::DownloadGrant;
use domain::record::Status;

use super::{Ledger, condition_failure};
use crate::error::StoreError;
use crate::item::{file_pk, number, text};

impl Ledger {
    /// Counts one download atomically and returns the new count. The condition is
    /// [`domain::access::may_count`]: the granted version may be downloaded, the link's generation is the
    /// record's, and the limit is not reached. Returns `None` if it does not hold. Not idempotent: a retry
    /// after a lost response counts twice, which allows one download fewer, never one more.
    pub async fn count_download(&self, grant: &DownloadGrant) -> Result<Option<u32>, StoreError> {
        let written = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(file_pk(grant.file_id())))
            .update_expression("ADD download_count :one")
            .condition_expression(
                "#status IN (:clean, :released) AND #state.#bound.version_id = :version \
                 AND (attribute_not_exists(link_generation) OR link_generation = :generation) \
                 AND (attribute_not_exists(max_downloads) OR download_count < max_downloads)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#bound", "version")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":clean", text(Status::Clean.as_str()))
            .expression_attribute_values(":released", text(Status::Released.as_str()))
            .expression_attribute_values(":version", text(grant.version().version_id.as_str()))
            .expression_attribute_values(":generation", number(grant.generation()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match written {
            Ok(output) => {
                let count =
                    output.attributes.and_then(|new| new.get("download_count")?.as_n().ok()?.parse().ok());
                Ok(Some(count.unwrap_or(0)))
            }
            Err(error) if condition_failure(&error).is_some() => Ok(None),
            Err(error) => Err(StoreError::of_sdk("count a download", error)),
        }
    }
}
