// Package sealed encrypts sessions, either in the client's cookie or in a store
// that others can read. It also manages the keys.
//
// A [Keyring] holds the keys. It is read from a setting; [GenerateKey] or
// `openssl rand -base64 32` makes a key:
//
//	keys, err := sealed.ParseKeyring(os.Getenv("SESSION_KEYS"))
//
// [Cookie] keeps whole sessions in the client's cookie:
//
//	sessions, err := core.New(core.ClientSide(sealed.Cookie(keys)), core.Config{})
//
// [Store] encrypts what any other store keeps:
//
//	sessions, err := core.New(core.ServerSide(sealed.Store(store, keys)), core.Config{})
//
// [Keyring.Derive] derives keys for sealers in other modules.
//
// # Key rotation
//
// The newest key seals and every key opens, so keys can be rotated while several
// processes run. Add the new key at the end on every instance, then move it to the
// front. Drop the old key once everything it sealed has expired.
//
// # Limits
//
// Anyone who has a key can read what it sealed and forge cookies for any user. The
// package does no key management and does not wipe keys from memory. A copied
// cookie works until it expires or until [core.Manager.RevokeAll]. [Store] lists
// what an encrypted store still reveals and what write access to it allows.
//
// The cipher is XAES-256-GCM (https://c2sp.org/XAES-256-GCM), built from the
// standard library. It works under GODEBUG=fips140=only.
package sealed
