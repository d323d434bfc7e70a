//! Answers what clients ask about the bucket before they use it: it is the only one, and the signer's.

use s3s::dto::{
    Bucket, CreateBucketInput, CreateBucketOutput, GetBucketLocationInput, GetBucketLocationOutput,
    HeadBucketInput, HeadBucketOutput, ListBucketsOutput, Timestamp,
};
use s3s::{S3Result, s3_error};

use super::Store;

const REGION: &str = "us-east-1";

impl Store {
    /// Creates nothing. The bucket that exists is answered as S3 answers its owner: 200 in us-east-1,
    /// `BucketAlreadyOwnedByYou` in another region. Any other name: `AccessDenied`.
    pub(super) fn create_bucket(&self, input: &CreateBucketInput) -> S3Result<CreateBucketOutput> {
        if input.bucket != self.bucket {
            return Err(s3_error!(AccessDenied, "there is one bucket here, and no other can be made"));
        }
        let place = input.create_bucket_configuration.as_ref();
        let region = place.and_then(|place| place.location_constraint.as_ref());
        if region.is_some_and(|region| region.as_str() != REGION) {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "the bucket exists already, in us-east-1"));
        }
        Ok(CreateBucketOutput { location: Some(format!("/{}", self.bucket)) })
    }

    pub(super) fn head_bucket(&self, input: &HeadBucketInput) -> S3Result<HeadBucketOutput> {
        self.check_bucket(&input.bucket)?;
        Ok(HeadBucketOutput { bucket_region: Some(REGION.to_owned()), ..Default::default() })
    }

    /// No constraint means us-east-1.
    pub(super) fn location(&self, input: &GetBucketLocationInput) -> S3Result<GetBucketLocationOutput> {
        self.check_bucket(&input.bucket)?;
        Ok(GetBucketLocationOutput::default())
    }

    pub(super) fn buckets(&self) -> ListBucketsOutput {
        let bucket = Bucket {
            name: Some(self.bucket.clone()),
            creation_date: Some(Timestamp::from(std::time::UNIX_EPOCH)),
            ..Default::default()
        };
        ListBucketsOutput { buckets: Some(vec![bucket]), ..Default::default() }
    }
}
