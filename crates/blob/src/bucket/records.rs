//! Records in a bucket: `log/<name>` below the prefix.

use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

use super::{Bucket, failed};
use crate::{
    Error, RecordName,
    records::{RECORDS, too_large},
};

impl Bucket {
    pub(crate) async fn write_record(
        &self,
        name: &RecordName,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        let options = PutOptions {
            mode: PutMode::Overwrite,
            attributes: self.attributes(),
            ..PutOptions::default()
        };
        let put = self.0.store.put_opts(&self.record(name), bytes.into(), options).await;
        put.map(|_| ()).map_err(|error| failed("write", name.as_str(), error))
    }

    pub(crate) async fn read_record(&self, name: &RecordName, most: u64) -> Result<Vec<u8>, Error> {
        let got = self.request(&self.record(name), name.as_str(), None).await?;
        let mut frames = got.into_stream();
        let mut whole = Vec::new();
        while let Some(frame) = frames.next().await {
            let frame = frame.map_err(|error| failed("read", name.as_str(), error))?;
            if (whole.len() + frame.len()) as u64 > most {
                return Err(too_large(name.as_str(), most));
            }
            whole.extend_from_slice(&frame);
        }
        Ok(whole)
    }

    pub(crate) async fn delete_records(&self, below: &RecordName) -> Result<(), Error> {
        let begin = self.record(below);
        let listed: Result<Vec<_>, _> = self.0.store.list(Some(&begin)).try_collect().await;
        for object in listed.map_err(|error| failed("list", below.as_str(), error))? {
            match self.0.store.delete(&object.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed("delete", below.as_str(), error)),
            }
        }
        Ok(())
    }

    fn record(&self, name: &RecordName) -> Path {
        self.below(&format!("{RECORDS}/{name}"))
    }
}
