//! `/multipart/{token}`: answers the requests about a multipart upload that a client would otherwise send to
//! S3, in S3's own XML.
//!
//! Formats: Amazon S3 API Reference, `CreateMultipartUpload`, `ListParts`, `CompleteMultipartUpload`,
//! `AbortMultipartUpload`. The token is for one upload; see [`super::sign_request::multipart_url`].

use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};
use aws_smithy_xml::encode::XmlWriter;
use axum::body::to_bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::parts::{ListedPart, StoredPart};
use domain::record::Record;
use web::ApiError;

use super::PublicOrigin;
use crate::{App, complete};

/// S3's maximum of 10,000 parts takes about a megabyte.
const MAX_XML_BYTES: usize = 1024 * 1024;
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An error in S3's format.
pub(crate) struct XmlError(ApiError);

impl From<ApiError> for XmlError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for XmlError {
    fn into_response(self) -> Response {
        let (status, code, _) = self.0.row();
        if status.is_server_error() {
            tracing::error!(error = aws::log::chain(&self.0), "request failed");
        }
        let body = document("Error", &[("Code", code.to_string()), ("Message", self.0.detail(status))], &[]);
        xml(status, body)
    }
}

/// `GET`: lists the uploaded parts.
pub(crate) async fn list(State(app): State<App>, Path(token): Path<String>) -> Result<Response, XmlError> {
    let record = record(&app, &token).await?;
    let parts = super::stored_parts(&app, &record, aws::clock::now()).await?;
    let fields = fields(&app, &record)?;
    Ok(xml(StatusCode::OK, document("ListPartsResult", &fields, &parts)))
}

/// `POST`: with `?uploads`, answers with the id of the upload, which exists already; without, joins the parts
/// that the body lists.
pub(crate) async fn begin_or_join(
    State(app): State<App>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    origin: PublicOrigin,
    request: Request,
) -> Result<Response, XmlError> {
    let record = record(&app, &token).await?;
    let mut fields = fields(&app, &record)?;
    if query.is_some_and(|query| query == "uploads") {
        let begun = document("InitiateMultipartUploadResult", &fields, &[]);
        return Ok(xml(StatusCode::OK, begun));
    }
    let body = to_bytes(request.into_body(), MAX_XML_BYTES).await;
    let limit_bytes = u64::try_from(MAX_XML_BYTES).unwrap_or(u64::MAX);
    let body = body.map_err(|_| ApiError::BodyTooLarge { limit_bytes })?;
    let listed = read_parts(&body).map_err(|_| ApiError::InvalidXml)?;
    let record = complete::finish(&app, record, Some(&listed)).await?;
    let etag = record.state.version().map(|version| format!("\"{}\"", version.etag)).unwrap_or_default();
    fields.extend([("Location", super::location(&origin, record.file_id)), ("ETag", etag)]);
    Ok(xml(StatusCode::OK, document("CompleteMultipartUploadResult", &fields, &[])))
}

/// `DELETE`: aborts the upload.
pub(crate) async fn abort(State(app): State<App>, Path(token): Path<String>) -> Result<StatusCode, XmlError> {
    let record = record(&app, &token).await?;
    super::abort(&app, &record).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn record(app: &App, token: &str) -> Result<Record, ApiError> {
    let file = app.read_signed(|signer, now| signer.read_parts(token, now)).await?;
    app.stores.ledger.load(file).await?.ok_or(ApiError::FileNotFound)
}

fn fields(app: &App, record: &Record) -> Result<Vec<(&'static str, String)>, ApiError> {
    Ok(vec![
        ("Bucket", app.stores.objects.bucket().to_owned()),
        ("Key", record.object_key().to_string()),
        ("UploadId", super::multipart(record)?.upload_id.to_string()),
    ])
}

fn document(root: &str, fields: &[(&str, String)], parts: &[StoredPart]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let mut writer = XmlWriter::new(&mut text);
    let mut element = writer.start_el(root).write_ns(NAMESPACE, None).finish();
    for (name, value) in fields {
        element.start_el(name).finish().data(value);
    }
    for part in parts {
        let mut shown = element.start_el("Part").finish();
        shown.start_el("PartNumber").finish().data(&part.number.to_string());
        shown.start_el("ETag").finish().data(&format!("\"{}\"", part.etag));
        shown.start_el("Size").finish().data(&part.size_bytes.to_string());
    }
    element.finish();
    text
}

fn xml(status: StatusCode, body: String) -> Response {
    let headers = [
        // Uppy compares the value, so it has no parameters.
        (header::CONTENT_TYPE, HeaderValue::from_static("application/xml")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}

/// The parts of a `CompleteMultipartUpload`; ETags with or without quotes.
fn read_parts(body: &[u8]) -> Result<Vec<ListedPart>, XmlDecodeError> {
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    if !root.start_el().matches("CompleteMultipartUpload") {
        return Err(XmlDecodeError::custom("the root is not `CompleteMultipartUpload`"));
    }
    let mut parts = vec![];
    while let Some(mut element) = root.next_tag() {
        if !element.start_el().matches("Part") {
            continue;
        }
        let (mut number, mut etag) = (None, None);
        while let Some(mut field) = element.next_tag() {
            let name = field.start_el().local().to_owned();
            match name.as_str() {
                "PartNumber" => number = try_data(&mut field)?.trim().parse().ok(),
                "ETag" => etag = Some(try_data(&mut field)?.trim().trim_matches('"').to_owned()),
                _ => {}
            }
        }
        let (number, etag) = number.zip(etag).ok_or_else(|| XmlDecodeError::custom("an invalid `Part`"))?;
        parts.push(ListedPart { number, etag });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use domain::id::ETag;

    use super::*;

    #[test]
    fn what_the_clients_send_is_read() {
        let part = |number, etag: &str| ListedPart { number, etag: etag.to_owned() };
        let uppy = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>\
                    </CompleteMultipartUpload>";
        assert_eq!(read_parts(uppy.as_bytes()).unwrap(), [part(1, "a")]);
        let better_upload = "\n<CompleteMultipartUpload>\n  <Part>\n    <ETag>a</ETag>\n    \
            <PartNumber>1</PartNumber>\n  </Part><Part>
            <ETag>&quot;b&quot;</ETag>\n <PartNumber>2</PartNumber><ChecksumSHA256>x</ChecksumSHA256>\
            </Part>\n</CompleteMultipartUpload>\n  ";
        assert_eq!(read_parts(better_upload.as_bytes()).unwrap(), [part(1, "a"), part(2, "b")]);
        let nothing = "<CompleteMultipartUpload></CompleteMultipartUpload>";
        assert_eq!(read_parts(nothing.as_bytes()).unwrap(), []);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "{}",
            "<Other></Other>",
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part>\
             </CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>-1</PartNumber><ETag>a</ETag></Part>\
             </CompleteMultipartUpload>",
        ] {
            assert!(read_parts(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read_parts(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn what_is_written_is_escaped() {
        let parts = [StoredPart { number: 1, etag: ETag::parse("e").unwrap(), size_bytes: 5, sha256: None }];
        let expected = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"{NAMESPACE}\"><Key>a&lt;b</Key>\
             <Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;</ETag><Size>5</Size></Part></R>"
        );
        assert_eq!(document("R", &[("Key", "a<b".to_owned())], &parts), expected);
    }
}
