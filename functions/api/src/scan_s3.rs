//! `POST /scan/s3`: answers an operator with the verdict on one version of an object in another bucket.
//!
//! The request that reads the bytes also resolves the version, so the answer names the version that was
//! judged, also if the key is written again meanwhile.

use aws::{ForeignObject, ObjectAddress};
use axum::extract::State;
use domain::content_encoding::ContentEncoding;
use domain::id::OwnerId;
use domain::record::Record;
use domain::upload::UploadError;
use domain::verdict::Unscannable;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use web::view::ImmediateVerdict;
use web::{Admin, ApiError, Json, Problem, Refused};

use crate::App;
use crate::on_demand::{OnDemandRequest, judged, store};

/// The object to scan.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectToScan {
    /// One of `READ_BUCKETS`.
    #[schema(example = "team-files")]
    bucket: String,
    #[schema(example = "reports/2026.pdf", min_length = 1, max_length = 1024)]
    key: String,
    /// The current version if absent.
    #[schema(example = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY")]
    version_id: Option<String>,
}

/// A verdict, and the version that it is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ObjectVerdict {
    #[serde(flatten)]
    verdict: ImmediateVerdict,
    s3_object: JudgedObject,
}

/// The version that was judged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct JudgedObject {
    #[schema(example = "team-files")]
    bucket: String,
    #[schema(example = "reports/2026.pdf")]
    key: String,
    /// Absent if the bucket has never kept versions; `etag` then tells whether the object is still the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY")]
    version_id: Option<String>,
    #[schema(example = "d41d8cd98f00b204e9800998ecf8427e")]
    etag: String,
}

/// Get a verdict on an object in another bucket
///
/// Reads one version, judges it and answers when the verdict is known; the object is not changed, and the
/// service keeps neither its bytes nor a record of them.
#[utoipa::path(post, path = "/scan/s3", operation_id = "scanObject",
    tag = "scan", request_body = ObjectToScan,
    responses(
        (status = 200, description = "The verdict: `clean`, `infected`, `released` or `unscannable`",
            body = ObjectVerdict),
        (status = 403, description = "The caller is no operator, or the bucket is not one of `READ_BUCKETS`",
            body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such object or version, or the service may not read it",
            body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There is no verdict; `reason` says why, `Retry-After` when to retry",
            body = Problem, content_type = "application/problem+json"),
        Refused,
    ))]
pub(crate) async fn scan(
    State(app): State<App>,
    Admin(operator): Admin,
    Json(body): Json<ObjectToScan>,
) -> Result<axum::Json<ObjectVerdict>, ApiError> {
    // Reading takes a part of the time.
    let deadline = Instant::now() + app.settings.longest_scan_wait;
    let ObjectToScan { bucket, key, version_id } = body;
    if !app.settings.read_buckets.contains(&bucket) {
        return Err(ApiError::BucketNotAllowed);
    }
    if key.is_empty() {
        return Err(ApiError::InvalidBody("`key` is empty".to_owned()));
    }
    let address = ObjectAddress { bucket: &bucket, key: &key, version_id: version_id.as_deref() };
    let object = app.stores.objects.open_foreign(address).await?.ok_or(ApiError::ObjectNotFound)?;
    let s3_object =
        JudgedObject { version_id: object.version_id.clone(), etag: object.etag.clone(), bucket, key };
    let verdict = verdict(&app, operator, object, deadline).await?;
    Ok(axum::Json(ObjectVerdict { verdict, s3_object }))
}

async fn verdict(
    app: &App,
    operator: OwnerId,
    object: ForeignObject,
    deadline: Instant,
) -> Result<ImmediateVerdict, ApiError> {
    let (size_bytes, limit_bytes) = (object.size_bytes, app.uploads.max_file_size);
    if object.content_encoding == ContentEncoding::Encoded {
        // Clients decode it into other bytes than the stored ones.
        let (reason, now) = (Unscannable::ContentEncoding, aws::clock::now());
        return Ok(ImmediateVerdict::unscannable(reason, size_bytes, now));
    }
    if size_bytes > limit_bytes {
        return Err(UploadError::TooLarge { limit_bytes }.into());
    }
    let request =
        OnDemandRequest { owner: operator, password: None, announced_bytes: size_bytes, limit_bytes };
    let stored = timeout_at(deadline, store(app, request, object.chunks().map_err(ApiError::from))).await;
    let record: Record = stored.map_err(|_| ApiError::NoVerdict { reason: "timeout" })??;
    let record = judged(app, record, deadline).await?;
    ImmediateVerdict::of(&record).ok_or(ApiError::Internal)
}
