package core

import "context"

// Scope tells a [Sealer] what a token is for, so that a token made for one
// purpose does not open for another.
type Scope struct {
	Namespace string // [Config.Namespace]: the application
	Name      string // the cookie's name
	Purpose   string // what the token carries, "session"
}

// Sealer turns a [Record] into a self-contained token and back: an encrypted
// cookie, a JWT. It is safe for concurrent use.
type Sealer interface {
	// Seal returns the token that carries r. Tokens consist of characters that
	// a cookie value may have (RFC 6265 section 4.1.1) other than "~".
	Seal(ctx context.Context, scope Scope, r *Record) (token string, err error)

	// Open returns the record that token carries. Any error means that the
	// token is not one of ours, and is treated as no session, except one
	// that matches [ErrUnavailable]. Expiry and not-before are the core's
	// business; a sealer may refuse expired tokens all the same.
	Open(ctx context.Context, scope Scope, token string) (*Record, error)
}

// Validator is the optional ability of a [Sealer] or a [Store] to refuse to be used: with
// keys that are missing or weak, for example. [New] asks it, so that constructors of sealers
// need no error of their own.
type Validator interface {
	// Validate returns an error that says what to change.
	Validate() error
}
