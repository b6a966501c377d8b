"""Makes the key, the key set and the tokens of a comparison, in the present folder.

    keys.py SEEN UNSEEN

`tokens.txt` has SEEN tokens that every run repeats, `unseen.txt` has UNSEEN others that no run uses twice.
All are valid for 30 days. What is there already and young enough is kept.
"""

import base64
import json
import multiprocessing
import os
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

USERS = 1000


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def token(claims):
    head = {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return text + "." + b64(KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


def valid(serial):
    return token({
        "iss": "https://idp.test", "aud": "api", "sub": f"user-{serial % USERS}", "role": "traveller",
        "scope": "items:read", "iat": NOW, "exp": NOW + 30 * 86400, "jti": f"{serial:032x}",
    })


def lines(name):
    if not os.path.exists(name) or time.time() - os.path.getmtime(name) > 20 * 86400:
        return 0
    with open(name) as file:
        return sum(1 for _ in file)


def make(name, first, count):
    if lines(name) >= count:
        return
    with multiprocessing.Pool() as pool, open(name, "w") as file:
        for made in pool.imap(valid, range(first, first + count), chunksize=500):
            file.write(made + "\n")


NOW = int(time.time())
if not os.path.exists("rs256.key"):
    fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with open(os.open("rs256.key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(fresh.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
with open("rs256.key", "rb") as file:
    KEY = serialization.load_pem_private_key(file.read(), None)

if __name__ == "__main__":
    public = KEY.public_key()
    with open("rs256.pub", "wb") as file:
        file.write(public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    numbers = public.public_numbers()
    with open("jwks.json", "w") as file:
        json.dump({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1",
                             "n": number(numbers.n), "e": number(numbers.e)}]}, file)
    make("tokens.txt", 0, int(sys.argv[1]))
    make("unseen.txt", 10_000_000, int(sys.argv[2]))
    with open("tokens.txt") as file:
        good = file.readline().strip()
    # Another signature of the right form: the payload of one token with the signature of another.
    other = valid(20_000_000)
    with open("bad.txt", "w") as file:
        file.write(good.rsplit(".", 1)[0] + "." + other.rsplit(".", 1)[1])
    with open("expired.txt", "w") as file:
        file.write(token({"iss": "https://idp.test", "aud": "api", "sub": "user-1",
                          "iat": NOW - 7200, "exp": NOW - 3600}))
    items, text = [], ""
    while len(text) < 10_200:
        serial = len(items)
        items.append({"id": serial, "sku": f"SKU-{serial:06d}", "name": f"Item number {serial}",
                      "price": round(9.99 + serial * 1.37, 2), "tags": ["alpha", "beta"],
                      "stock": serial * 7 % 100})
        text = json.dumps({"items": items}, separators=(",", ":"))
    for path in ("plain", "jwt", "jwtc", "cache", "full", "fullc", "limit"):
        os.makedirs(f"../www/{path}", exist_ok=True)
        with open(f"../www/{path}/items.json", "w") as file:
            file.write(text)
