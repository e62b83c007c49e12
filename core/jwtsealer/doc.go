// Package jwtsealer keeps sessions in JSON Web Tokens which the client carries, so
// that other services can tell whose session a request belongs to.
//
// [Signed] makes signed tokens. With EdDSA, ES256 or RS256, others verify them with
// the public keys that [Keys] serves; with HS256 nobody else can. The values stay
// encrypted unless you ask for them to be readable:
//
//	signing, err := jwtsealer.ParseKeys(os.Getenv("SESSION_SIGNING_KEYS"))
//	keys, err := sealed.ParseKeyring(os.Getenv("SESSION_KEYS"))
//	sealer := jwtsealer.Signed(signing, jwtsealer.Config{Issuer: "https://app.example", Seal: keys})
//	sessions, err := core.New(core.ClientSide(sealer), core.Config{})
//	http.Handle("GET /.well-known/jwks.json", signing)
//
// [Encrypted] makes encrypted tokens, which only holders of the content key can read:
//
//	sessions, err := core.New(core.ClientSide(jwtsealer.Encrypted(keys, jwtsealer.Config{Issuer: "https://app.example"})), core.Config{})
//
// Without other services to read them, package sealed has smaller and faster tokens.
//
// # What a token says
//
// The header holds alg, kid and typ, and for encrypted ones enc. The claims are
//
//	iss        Config.Issuer
//	aud        Config.Audience
//	sub        the user, or what Config.Subject makes of it; absent without a login
//	sid        the session's public ID
//	iat        when the session was saved
//	exp        when it ends unless it is used before
//	auth_time  of the login; absent without one
//	satchel    the session itself, which is our own business
//
// and those of Config.Claims. Times are seconds, rounded down. Services that verify
// must check the signature, typ "satchel-session+jwt", iss, their own entry in aud
// and exp.
//
// A request that only reads moves the end of the session in a token of its own, of
// typ "satchel-touch+jwt". To others, the session ends with exp of the last write.
//
// # Limits
//
// This package opens only what it has written: one header for each key, compared
// as text, and one spelling of everything else. It is no library to verify the
// tokens of others. See [core.ClientSide] for what sessions without a server-side
// copy cannot do; other services hear of a logout only by exp.
package jwtsealer
