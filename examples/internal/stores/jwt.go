package stores

import (
	"os"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/jwtsealer"
	"github.com/satchel-go/satchel/core/sealed"
)

// jwtIssuer is the iss of the examples' tokens. An application has its own URL.
const jwtIssuer = "https://app.example"

// openJWT signs with the keys in SESSION_SIGNING_KEYS, as an application does whose
// tokens others verify. Without them, it signs with HS256.
func openJWT(rest, keys string) (core.Backend, func() error, error) {
	ring, err := ringFor(rest, keys)
	if err != nil {
		return nil, nil, err
	}
	signing := jwtsealer.FromKeyring(ring)
	if text := os.Getenv("SESSION_SIGNING_KEYS"); text != "" {
		if signing, err = jwtsealer.ParseKeys(text); err != nil {
			return nil, nil, err
		}
	}
	return core.ClientSide(jwtsealer.Signed(signing, jwtsealer.Config{Issuer: jwtIssuer, Seal: ring})), nothing, nil
}

func openJWE(rest, keys string) (core.Backend, func() error, error) {
	ring, err := ringFor(rest, keys)
	if err != nil {
		return nil, nil, err
	}
	return core.ClientSide(jwtsealer.Encrypted(ring, jwtsealer.Config{Issuer: jwtIssuer})), nothing, nil
}

// ringFor parses keys for a scheme that is complete without rest.
func ringFor(rest, keys string) (*sealed.Keyring, error) {
	if err := alone(rest); err != nil {
		return nil, err
	}
	return sealed.ParseKeyring(keys)
}
