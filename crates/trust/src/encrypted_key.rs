//! Private keys as cosign keeps them: scrypt makes a key of the password, `NaCl`'s secretbox encrypts.

use poly1305::{Poly1305, universal_hash::KeyInit};
use salsa20::{
    XSalsa20,
    cipher::{KeyIvInit, StreamCipher},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Reason, Refusal,
    json::{self, Base64, encode_base64},
};

/// What cosign 2 writes.
pub(crate) const TAG: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// What cosign 1 wrote.
pub(crate) const OLD_TAG: &str = "ENCRYPTED COSIGN PRIVATE KEY";

const MAX_SIZE: usize = 16 * 1024;
/// 64 MiB of memory, as cosign.
const COST: u32 = 16;
/// 128 MiB; a file must not be able to ask for more.
const MAX_COST: u32 = 17;
const BLOCK_SIZE: u32 = 8;
const PARALLELISM: u32 = 1;

#[derive(Deserialize)]
struct Wire {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: Base64,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Params,
    salt: Base64,
}

#[derive(Deserialize, Serialize)]
struct Params {
    #[serde(rename = "N")]
    n: u32,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: Base64,
}

#[derive(Serialize)]
struct Printed {
    kdf: PrintedKdf,
    cipher: PrintedCipher,
    ciphertext: String,
}

#[derive(Serialize)]
struct PrintedKdf {
    name: &'static str,
    params: Params,
    salt: String,
}

#[derive(Serialize)]
struct PrintedCipher {
    name: &'static str,
    nonce: String,
}

/// Decrypts.
pub(crate) fn open(bytes: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let wire: Wire = json::read("encrypted key", bytes, MAX_SIZE)?;
    if wire.kdf.name != "scrypt" || wire.cipher.name != "nacl/secretbox" {
        return Err(Refusal::new(Reason::Unsupported, "the key is encrypted in another way")
            .requiring("scrypt and nacl/secretbox"));
    }
    let nonce: [u8; 24] = wire.cipher.nonce.0.as_slice().try_into().map_err(|_| wrong())?;
    let key = derive(password, &wire.kdf.salt.0, &wire.kdf.params)?;
    open_box(&key, &nonce, &wire.ciphertext.0).ok_or_else(|| {
        Refusal::malformed("the key could not be decrypted").requiring("the right password")
    })
}

/// Encrypts.
pub(crate) fn seal(plain: &[u8], password: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    for random in [&mut salt[..], &mut nonce[..]] {
        aws_lc_rs::rand::fill(random)
            .map_err(|_| Refusal::new(Reason::Unsupported, "there are no random numbers"))?;
    }
    let params = Params { n: 1 << COST, r: BLOCK_SIZE, p: PARALLELISM };
    let key = derive(password, &salt, &params)?;
    let printed = Printed {
        ciphertext: encode_base64(&seal_box(&key, &nonce, plain)),
        kdf: PrintedKdf { name: "scrypt", params, salt: encode_base64(&salt) },
        cipher: PrintedCipher { name: "nacl/secretbox", nonce: encode_base64(&nonce) },
    };
    // Texts as values of fixed keys are always JSON.
    Ok(serde_json::to_vec(&printed).unwrap_or_default())
}

/// As PEM with line feeds.
pub(crate) fn pem_of(tag: &str, contents: Vec<u8>) -> Zeroizing<String> {
    let line_feeds = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let mut block = pem::Pem::new(tag, contents);
    let text = Zeroizing::new(pem::encode_config(&block, line_feeds));
    zeroize::Zeroize::zeroize(
        &mut std::mem::replace(&mut block, pem::Pem::new("", [])).into_contents(),
    );
    text
}

fn wrong() -> Refusal {
    Refusal::malformed("the encrypted key cannot be read")
}

fn derive(password: &[u8], salt: &[u8], params: &Params) -> Result<Zeroizing<[u8; 32]>, Refusal> {
    let cost = params.n.checked_ilog2().filter(|cost| params.n == 1 << cost).ok_or_else(wrong)?;
    if cost > MAX_COST || params.r != BLOCK_SIZE || params.p != PARALLELISM {
        return Err(Refusal::new(Reason::Unsupported, "the key's scrypt parameters")
            .requiring("N up to 131072, r 8, p 1"));
    }
    let cost = u8::try_from(cost).map_err(|_| wrong())?;
    let scrypt = scrypt::Params::new(cost, params.r, params.p).map_err(|_| wrong())?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password, salt, &scrypt, &mut key[..]).map_err(|_| wrong())?;
    Ok(key)
}

/// `NaCl`'s secretbox: the first 32 bytes of the key stream authenticate what the rest encrypts.
fn seal_box(key: &[u8; 32], nonce: &[u8; 24], plain: &[u8]) -> Vec<u8> {
    let (one_time, encrypted) = streamed(key, nonce, plain);
    let tag = Poly1305::new((&*one_time).into()).compute_unpadded(&encrypted);
    [&tag[..], &encrypted].concat()
}

fn open_box(key: &[u8; 32], nonce: &[u8; 24], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (tag, encrypted) = sealed.split_first_chunk::<16>()?;
    let (one_time, plain) = streamed(key, nonce, encrypted);
    let expected = Poly1305::new((&*one_time).into()).compute_unpadded(encrypted);
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(&expected, tag).is_ok();
    same.then_some(plain)
}

/// The one-time key, and the bytes with the stream behind it.
fn streamed(
    key: &[u8; 32],
    nonce: &[u8; 24],
    bytes: &[u8],
) -> (Zeroizing<[u8; 32]>, Zeroizing<Vec<u8>>) {
    let mut cipher = XSalsa20::new(key.into(), nonce.into());
    let mut one_time = Zeroizing::new([0; 32]);
    cipher.apply_keystream(&mut one_time[..]);
    let mut bytes = Zeroizing::new(bytes.to_vec());
    cipher.apply_keystream(&mut bytes);
    (one_time, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the documentation of `NaCl`, `crypto_secretbox`.
    #[test]
    fn the_box_is_that_of_nacl() {
        let hex = |text: &str| crate::log::unhex(text).unwrap();
        let key = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
        let nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let plain = hex("be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc\
                         e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31\
                         0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde\
                         048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864\
                         5e0705");
        let tag = hex("f3ffc7703f9400e52a7dfb4b3d3305d9");
        let (key, nonce) = (key.try_into().unwrap(), nonce.try_into().unwrap());
        let sealed = seal_box(&key, &nonce, &plain);
        assert_eq!(sealed[..16], tag);
        assert_eq!(open_box(&key, &nonce, &sealed).unwrap().as_slice(), plain);
        for at in [0, 16, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open_box(&key, &nonce, &changed).is_none(), "byte {at}");
        }
        assert!(open_box(&key, &nonce, &sealed[..15]).is_none());
    }
}
