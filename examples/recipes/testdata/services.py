import jwt

keys = jwt.PyJWKClient("https://app.example/.well-known/jwks.json")

def session_of(authorization):
    """Returns the claims of the session that a request's Authorization header has, or None. Without "sub", nobody is logged in."""
    scheme, _, token = (authorization or "").partition(" ")
    try:
        if scheme.lower() != "bearer" or jwt.get_unverified_header(token)["typ"] != "satchel-session+jwt":
            return None
        return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["EdDSA"], issuer="https://app.example",
                          audience="https://billing.example", options={"require": ["exp", "iss", "aud", "sid"]})
    except (jwt.PyJWTError, KeyError):
        return None
