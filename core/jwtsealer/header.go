package jwtsealer

import "github.com/satchel-go/satchel/core"

// kind is what a token is, which its typ says. Tokens of another kind never open.
type kind int

const (
	session kind = iota
	touch
	duplicate // of a session that a server keeps
	kinds
)

// kindOf returns the kind of tokens for scope. There are no others.
func kindOf(scope core.Scope) (kind, bool) {
	switch scope.Purpose {
	case "session":
		return session, true
	case "touch":
		return touch, true
	case "copy":
		return duplicate, true
	}
	return 0, false
}

// headers are the only headers of a key's tokens, encoded, for each kind. What comes
// with another text in front of the first dot is refused unseen.
type headers [kinds]string

func signedHeaders(algorithm Algorithm, id string) headers {
	return encodedHeaders(`{"alg":"` + string(algorithm) + `","kid":"` + id + `"`)
}

func encryptedHeaders(id string) headers {
	return encodedHeaders(`{"alg":"dir","enc":"A256CBC-HS512","kid":"` + id + `"`)
}

func encodedHeaders(begin string) headers {
	text := func(typ string) string {
		return encoding.EncodeToString([]byte(begin + `,"typ":"` + typ + `"}`))
	}
	return headers{session: text("satchel-session+jwt"), touch: text("satchel-touch+jwt"), duplicate: text("satchel-copy+jwt")}
}

// decode decodes a segment of a token that has one spelling, and reports whether
// it is that.
func decode(segment string) ([]byte, bool) {
	raw, err := encoding.DecodeString(segment)
	// Go's decoder skips line breaks. Comparing lengths refuses them.
	return raw, err == nil && encoding.EncodedLen(len(raw)) == len(segment)
}
