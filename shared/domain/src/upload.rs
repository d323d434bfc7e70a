//! Decides whether an upload is accepted.

use std::collections::BTreeSet;
use std::time::Duration;

use thiserror::Error;

use crate::content_type::ContentType;
use crate::file_name::{FileName, FileNameError};
use crate::id::Sha256;
use crate::password::{Password, PasswordError};

/// Which uploads are accepted, and how long files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPolicy {
    pub max_file_size: u64,
    pub allowed_extensions: AllowedExtensions,
    /// How long a presigned upload can be used.
    pub upload_ttl: Duration,
    /// How long after the upload's start the file is kept.
    pub retention: Duration,
}

impl UploadPolicy {
    /// 100 MiB.
    pub const DEFAULT_MAX_FILE_SIZE: u64 = 104_857_600;
    /// The engine skips files larger than 2 GiB - 1 without an error (clamav `others.c`, INT_MAX).
    pub const LARGEST_SCANNABLE: u64 = (1 << 31) - 1;
    /// Long enough for a slow connection, short enough that a leaked URL soon expires.
    pub const UPLOAD_TTL: Duration = Duration::from_mins(15);
    /// How long a multipart upload may take; each part's URL is valid for [`UploadPolicy::UPLOAD_TTL`].
    pub const MULTIPART_TTL: Duration = Duration::from_hours(24);
    /// How long a file of a request that waits for its verdict is kept if that request does not remove it:
    /// longer than any request waits.
    pub const ON_DEMAND_TTL: Duration = Duration::from_mins(15);
    pub const DEFAULT_RETENTION_DAYS: u64 = 7;
}

/// Which file name extensions are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedExtensions {
    All,
    Only(BTreeSet<String>),
}

/// Documents, pictures, audio, video and archives, with their variants; no format that is executed when it is
/// opened. Office formats with macros are included: macros do not run before a person allows it, and the
/// older formats (`doc`, `xls`) can hold them as well.
pub const DEFAULT_EXTENSIONS: &str = "pdf,doc,docx,docm,dot,dotx,dotm,xls,xlsx,xlsm,xlsb,xlt,xltx,xltm,\
ppt,pptx,pptm,pps,ppsx,ppsm,pot,potx,potm,odt,ott,ods,ots,odp,otp,odg,otg,odf,pages,numbers,key,\
rtf,txt,text,md,markdown,csv,tsv,\
json,jsonl,ndjson,geojson,xml,yaml,yml,log,eml,msg,mbox,ics,vcf,epub,\
png,apng,jpg,jpeg,jpe,jfif,gif,webp,bmp,dib,tif,tiff,heic,heif,avif,svg,\
mp3,wav,flac,ogg,oga,opus,m4a,aac,aif,aiff,wma,amr,mp4,m4v,mov,qt,avi,mkv,webm,ogv,mpg,mpeg,wmv,3gp,3g2,\
zip,gz,tgz,tar,bz2,tbz,tbz2,xz,txz,7z,bin";

impl AllowedExtensions {
    /// Reads a comma-separated list; `*` alone allows every name, also one without an extension.
    pub fn parse(list: &str) -> Self {
        if list.trim() == "*" {
            return Self::All;
        }
        let extensions = list.split(',').map(|item| item.trim().trim_start_matches('.').to_lowercase());
        Self::Only(extensions.filter(|extension| !extension.is_empty()).collect())
    }

    /// The extensions in alphabetical order; `None` if all names are allowed.
    pub fn listed(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Self::All => None,
            Self::Only(accepted) => Some(accepted.iter().map(String::as_str)),
        }
    }

    fn check(&self, name: &FileName) -> Result<(), UploadError> {
        let Self::Only(accepted) = self else { return Ok(()) };
        let extension = name.extension();
        if extension.as_ref().is_some_and(|extension| accepted.contains(extension)) {
            return Ok(());
        }
        Err(UploadError::ExtensionNotAllowed { extension, accepted: accepted.iter().cloned().collect() })
    }
}

impl Default for AllowedExtensions {
    fn default() -> Self {
        Self::parse(DEFAULT_EXTENSIONS)
    }
}

/// A client's description of the file that it wants to upload, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadRequest<'a> {
    pub filename: &'a str,
    pub size_bytes: Option<u64>,
    pub content_type: Option<&'a str>,
    pub checksum_sha256: Option<&'a str>,
    pub max_downloads: Option<u32>,
    pub password: Option<&'a str>,
}

/// An upload that the policy accepts. Size and digest are still claims: the scan verifies them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub filename: FileName,
    pub content_type: ContentType,
    pub declared_size: Option<u64>,
    pub declared_sha256: Option<Sha256>,
    pub max_downloads: Option<u32>,
    /// The password that opens the file, for its scan.
    pub password: Option<Password>,
}

/// Why an upload is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UploadError {
    #[error(transparent)]
    Name(#[from] FileNameError),
    #[error("{}", extension_refusal(extension.as_deref(), accepted))]
    ExtensionNotAllowed { extension: Option<String>, accepted: Vec<String> },
    #[error("the file is empty")]
    EmptyFile,
    #[error("a multipart upload needs the file's `size`")]
    SizeNeeded,
    #[error("the file is larger than the limit of {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("`content_type` is not a media type")]
    InvalidContentType,
    #[error("`checksum_sha256` is not a SHA-256 in hexadecimal or base64")]
    InvalidChecksum,
    #[error("`max_downloads` must be at least 1")]
    InvalidMaxDownloads,
    #[error(transparent)]
    PasswordError(#[from] PasswordError),
}

/// With more accepted extensions than this, a message does not list them; the error still has them.
const MAX_LISTED_EXTENSIONS: usize = 12;

/// Plain text: upload clients show it to persons as it is.
fn extension_refusal(extension: Option<&str>, accepted: &[String]) -> String {
    let refused = match extension {
        Some(extension) => format!("files of the type .{extension} are not accepted"),
        None => "files without an extension are not accepted".to_owned(),
    };
    if accepted.is_empty() || accepted.len() > MAX_LISTED_EXTENSIONS {
        return refused;
    }
    format!("{refused}; accepted types: {}", accepted.join(", "))
}

/// Checks a request against the policy.
pub fn accept(request: &UploadRequest<'_>, policy: &UploadPolicy) -> Result<Upload, UploadError> {
    let filename = FileName::sanitize(request.filename)?;
    policy.allowed_extensions.check(&filename)?;
    match request.size_bytes {
        Some(0) => return Err(UploadError::EmptyFile),
        Some(size) if size > policy.max_file_size => {
            return Err(UploadError::TooLarge { limit_bytes: policy.max_file_size });
        }
        Some(_) | None => {}
    }
    if request.max_downloads == Some(0) {
        return Err(UploadError::InvalidMaxDownloads);
    }
    // Browsers send "" for an unknown type.
    let content_type = match request.content_type.filter(|text| !text.trim().is_empty()) {
        Some(text) => ContentType::parse(text).map_err(|_| UploadError::InvalidContentType)?,
        None => ContentType::octet_stream(),
    };
    let declared_sha256 =
        request.checksum_sha256.map(Sha256::parse).transpose().map_err(|_| UploadError::InvalidChecksum)?;
    Ok(Upload {
        filename,
        content_type,
        declared_size: request.size_bytes,
        declared_sha256,
        max_downloads: request.max_downloads,
        password: request.password.map(Password::parse).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> UploadPolicy {
        UploadPolicy {
            max_file_size: 1000,
            allowed_extensions: AllowedExtensions::parse(" .PDF, txt ,"),
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: Duration::from_hours(24),
        }
    }

    fn request(filename: &str) -> UploadRequest<'_> {
        UploadRequest { filename, ..UploadRequest::default() }
    }

    #[test]
    fn what_fits_the_policy_is_accepted() {
        let upload =
            accept(&UploadRequest { size_bytes: Some(1000), ..request("a.PDF") }, &policy()).unwrap();
        assert_eq!(upload.filename.as_str(), "a.PDF");
        assert_eq!(upload.content_type, ContentType::octet_stream());
        for unknown in ["", "  "] {
            let given = UploadRequest { content_type: Some(unknown), ..request("a.txt") };
            assert_eq!(accept(&given, &policy()).unwrap().content_type, ContentType::octet_stream());
        }
        let all = UploadPolicy { allowed_extensions: AllowedExtensions::parse("*"), ..policy() };
        assert!(accept(&request("noext"), &all).is_ok());
    }

    #[test]
    fn families_are_accepted_whole_and_nothing_that_runs() {
        let default = AllowedExtensions::default();
        let allows =
            |extension: &str| default.check(&FileName::sanitize(&format!("a.{extension}")).unwrap()).is_ok();
        for family in [
            "jpg jpeg jpe jfif JPG",
            "heic heif avif",
            "mp4 m4v mov mpg mpeg",
            "mp3 m4a aac ogg oga opus",
            "yaml yml",
            "docx dotx docm dotm",
            "xlsx xltx xlsb xlsm",
            "odt odg ott",
            "pages numbers key",
            "eml ics vcf",
            "tar tgz txz tbz2",
        ] {
            for extension in family.split(' ') {
                assert!(allows(extension), "{extension}");
            }
        }
        for runs in "exe dll com scr msi msix bat cmd ps1 vbs vbe js mjs jse wsf hta jar class sh bash \
                     py pl rb php lnk url desktop reg cpl chm iso img vhd dmg pkg app deb rpm apk appimage \
                     xll xlam ppam html htm xhtml mht shtml swf svgz"
            .split_whitespace()
        {
            assert!(!allows(runs), "{runs}");
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let check = |request: UploadRequest<'_>, expected: UploadError| {
            assert_eq!(accept(&request, &policy()), Err(expected));
        };
        check(request(""), UploadError::Name(FileNameError::Empty));
        check(request(&"x".repeat(300)), UploadError::Name(FileNameError::TooLong));
        let refused = |extension: Option<&str>| UploadError::ExtensionNotAllowed {
            extension: extension.map(Into::into),
            accepted: vec!["pdf".into(), "txt".into()],
        };
        check(request("a.exe"), refused(Some("exe")));
        check(request("noext"), refused(None));
        assert_eq!(
            refused(Some("exe")).to_string(),
            "files of the type .exe are not accepted; accepted types: pdf, txt"
        );
        let many = (0..=MAX_LISTED_EXTENSIONS).map(|n| n.to_string()).collect();
        let unlisted = UploadError::ExtensionNotAllowed { extension: None, accepted: many };
        assert_eq!(unlisted.to_string(), "files without an extension are not accepted");
        check(UploadRequest { size_bytes: Some(0), ..request("a.txt") }, UploadError::EmptyFile);
        check(
            UploadRequest { size_bytes: Some(1001), ..request("a.txt") },
            UploadError::TooLarge { limit_bytes: 1000 },
        );
        check(
            UploadRequest { content_type: Some("text"), ..request("a.txt") },
            UploadError::InvalidContentType,
        );
        check(
            UploadRequest { checksum_sha256: Some("abc"), ..request("a.txt") },
            UploadError::InvalidChecksum,
        );
        check(UploadRequest { max_downloads: Some(0), ..request("a.txt") }, UploadError::InvalidMaxDownloads);
    }
}
