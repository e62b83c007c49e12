package jwtsealer

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

const (
	maxAudience   = 8
	defaultLeeway = 5 * time.Second
	maxLeeway     = time.Minute
)

// Config configures [Signed] and [Encrypted]. It needs an Issuer. What is wrong with
// a Config, core.New reports.
type Config struct {
	// Issuer is the application's URL, for the claim iss: https, with a host and
	// without query or fragment. A token of another issuer does not open.
	Issuer string

	// Audience names the services that tokens are for, for the claim aud: at most
	// 8. The Issuer is added if it is missing. Nil means the Issuer alone.
	Audience []string

	// Seal has the keys that encrypt the session inside a signed token: values,
	// flashes, user and label. Nil means those of [FromKeyring]; with other keys to
	// sign, set Seal or Readable. [Encrypted] needs neither.
	Seal *sealed.Keyring

	// Readable leaves the session unencrypted inside a signed token, for other
	// services to read: values as JSON, in the member values of the claim satchel.
	// It needs core.Config.Codec: core.JSON(). Whoever has the browser, or sees
	// the token in a log, reads them too, so keep personal data out.
	//
	// For [Encrypted], it means values in JSON for those who have the content key.
	Readable bool

	// Subject returns the claim sub for a user, a pseudonym for example. Nil means
	// the user itself, for everybody to read. It runs at each load and save, and must
	// be safe for concurrent use. A save whose sub would not be UTF-8 fails.
	Subject func(user string) string

	// Claims returns further claims for other services, at most 1 KiB in JSON. It
	// runs at each save, and must neither change r nor block. Names of RFC 7519, sid,
	// auth_time and satchel are refused: the save then fails. Nobody but other
	// services reads these claims. It must be safe for concurrent use.
	Claims func(r *core.Record) map[string]any

	// Leeway is by how much the clock of a server that made a token may be ahead,
	// at most a minute. Zero means 5 seconds.
	Leeway time.Duration

	// InsecureAllowHTTP allows an Issuer of another scheme than https.
	InsecureAllowHTTP bool
}

// withDefaults returns a copy of c in which nothing is shared with the caller.
func (c Config) withDefaults() Config {
	c.Audience = slices.Clone(c.Audience)
	if !slices.Contains(c.Audience, c.Issuer) {
		c.Audience = append(c.Audience, c.Issuer)
	}
	if c.Leeway == 0 {
		c.Leeway = defaultLeeway
	}
	return c
}

// validate returns what is wrong with c, whose defaults are filled in.
func (c Config) validate() error {
	if err := c.checkIssuer(); err != nil {
		return err
	}
	switch {
	case len(c.Audience) > maxAudience:
		return fmt.Errorf("jwtsealer: Config.Audience: %d services with the Issuer; at most %d", len(c.Audience), maxAudience)
	case slices.ContainsFunc(c.Audience, func(s string) bool { return s == "" || !utf8.ValidString(s) }):
		return errors.New("jwtsealer: Config.Audience: an entry is empty or not UTF-8")
	case c.Leeway < 0 || c.Leeway > maxLeeway:
		return fmt.Errorf("jwtsealer: Config.Leeway: %v; set one from 0 to %v", c.Leeway, maxLeeway)
	case c.Readable && c.Seal != nil:
		return errors.New("jwtsealer: Config.Seal encrypts what Config.Readable leaves readable: set one of them")
	case c.Readable && c.Subject != nil:
		return errors.New("jwtsealer: Config.Subject hides the user, whom Config.Readable shows: set one of them")
	}
	return nil
}

func (c Config) checkIssuer() error {
	if c.Issuer == "" {
		return errors.New("jwtsealer: Config.Issuer is empty: set it to the application's URL, such as https://app.example")
	}
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || !u.IsAbs() || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil || !utf8.ValidString(c.Issuer):
		return errors.New("jwtsealer: Config.Issuer: want a URL with a host, and without user, query and fragment, such as https://app.example")
	case u.Scheme != "https" && !c.InsecureAllowHTTP:
		return errors.New("jwtsealer: Config.Issuer is not an https URL: change it, or set InsecureAllowHTTP in development")
	}
	return nil
}
