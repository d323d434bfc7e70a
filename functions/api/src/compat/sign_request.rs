//! `POST /uppy/s3/presign`: presigns single requests for Uppy 6 (`signRequest`).
//!
//! A whole file is uploaded by a form, whose policy limits the size. Of a multipart upload, only the parts go
//! to storage. A client that could complete an upload at storage could join parts that the API has not
//! checked, so the requests that create, list, complete and abort go to [`super::s3_parts`], which answers as
//! S3 does.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::upload::UploadPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{ApiError, Json, Refused};

use super::{PublicOrigin, Uploader, companion};
use crate::App;
use crate::create_upload::{Transfer, create_upload};

/// The request that the client intends to send to S3.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnsignedRequest {
    #[schema(example = "PUT")]
    method: String,
    /// For a new file, the client's own proposal, of which only the name is used; else the key from the
    /// answer.
    key: String,
    content_type: Option<String>,
    upload_id: Option<String>,
    part_number: Option<u32>,
}

/// The request to send.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct SignedRequest {
    url: String,
    /// For a new file: its key. The file's id is the last segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// For a whole file: the fields of the form.
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<BTreeMap<String, String>>,
}

/// Uppy 6: presign a request
#[utoipa::path(post, path = "/s3/presign", operation_id = "presignUppyRequest",
    tag = "upload-clients", request_body = UnsignedRequest,
    responses(
        (status = 200, description = "The presigned request", body = SignedRequest),
        Refused,
    ))]
pub(crate) async fn presign(
    State(app): State<App>,
    uploader: Uploader,
    origin: PublicOrigin,
    Json(body): Json<UnsignedRequest>,
) -> Result<axum::Json<SignedRequest>, ApiError> {
    let now = aws::clock::now();
    let content_type = body.content_type.as_deref().unwrap_or_default();
    let signed = match (body.method.as_str(), body.upload_id.as_deref(), body.part_number) {
        ("PUT", None, None) => {
            let upload = super::accepted(&app, name_in(&body.key), None, content_type)?;
            let form = super::begin_form(&app, uploader, upload, now).await?;
            SignedRequest { url: form.url, key: form.fields.get("key").cloned(), fields: Some(form.fields) }
        }
        ("POST", None, None) => {
            let upload = super::accepted(&app, name_in(&body.key), None, content_type)?;
            let transfer = Transfer::Parts { has_checksums: false };
            let record = create_upload(&app, uploader.owner, upload, transfer, None, now).await?;
            let url = format!("{}?uploads", multipart_url(&app, &origin, &record, now)?);
            SignedRequest { url, key: Some(record.object_key().to_string()), fields: None }
        }
        ("PUT", Some(upload_id), Some(number)) => {
            let record = super::upload_under(&app, &uploader, &body.key, upload_id).await?;
            let (url, _) = companion::part_url(&app, &record, number, UploadPolicy::UPLOAD_TTL, now).await?;
            SignedRequest { url, ..SignedRequest::default() }
        }
        ("GET" | "POST" | "DELETE", Some(upload_id), None) => {
            let record = super::upload_under(&app, &uploader, &body.key, upload_id).await?;
            let url = multipart_url(&app, &origin, &record, now)?;
            SignedRequest { url, ..SignedRequest::default() }
        }
        _ => return Err(ApiError::NotAnUpload),
    };
    Ok(axum::Json(signed))
}

/// The URL at which a client lists, completes and aborts this multipart upload as if it talked to S3. The
/// token in it permits only that.
pub(super) fn multipart_url(
    app: &App,
    origin: &PublicOrigin,
    record: &Record,
    now: Timestamp,
) -> Result<String, ApiError> {
    let token = app.link_key.signer.sign_parts(record.file_id, record.upload_deadline, now)?;
    Ok(format!("{origin}/multipart/{token}"))
}

/// The file name in a key that Uppy has generated: Uppy puts a UUID and a dash before the name.
fn name_in(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    match name.split_at_checked(36) {
        Some((id, rest)) if Uuid::try_parse(id).is_ok() => rest.strip_prefix('-').unwrap_or(name),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_what_follows_the_uuid() {
        for (key, name) in [
            ("0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e-report.pdf", "report.pdf"),
            ("folder/report.pdf", "report.pdf"),
            ("0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e", "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e"),
            (
                "a-very-long-name-that-is-not-a-uuid-but-has-dashes.pdf",
                "a-very-long-name-that-is-not-a-uuid-but-has-dashes.pdf",
            ),
            ("übergrößenträgerübergrößenträger.pdf", "übergrößenträgerübergrößenträger.pdf"),
        ] {
            assert_eq!(name_in(key), name);
        }
    }
}
