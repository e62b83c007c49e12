import { createRemoteJWKSet, jwtVerify } from "jose";

const keys = createRemoteJWKSet(new URL("https://app.example/.well-known/jwks.json"));

// Returns the claims of the session that a request's Authorization header has, or null. Without sub, nobody is logged in.
async function sessionOf(authorization) {
  const [scheme, token] = (authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer") return null;
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ["EdDSA"], typ: "satchel-session+jwt", issuer: "https://app.example",
      audience: "https://billing.example", requiredClaims: ["exp", "sid"],
    });
    return payload;
  } catch {
    return null;
  }
}
