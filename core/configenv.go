package core

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ConfigFromEnv reads a Config and the keys of client-side sessions from the environment.
// With the prefix "SESSION_" the variables are
//
//	SESSION_IDLE_TIMEOUT_IN_MINUTES   a number; 0 disables it
//	SESSION_LIFETIME_IN_HOURS         a number; 0 disables it
//	SESSION_KEYS                      see [ParseKeyring]
//	SESSION_NAMESPACE                 see Config.Namespace
//	SESSION_NOT_BEFORE                a time, as 2006-01-02T15:04:05Z
//	SESSION_INSECURE_ALLOW_HTTP       true or false
//	SESSION_DEVELOPMENT               true or false
//	SESSION_COOKIE_NAME, SESSION_COOKIE_DOMAIN, SESSION_COOKIE_PATH
//	SESSION_COOKIE_SAME_SITE          lax, strict or none
//	SESSION_COOKIE_PARTITIONED        true or false
//
// Numbers may have a fraction. What is unset or empty keeps its default; keys is nil if
// there are none. The error names every variable that makes no sense, and never a key.
func ConfigFromEnv(prefix string) (c Config, keys *Keyring, err error) {
	env := environment{prefix: prefix}
	c.IdleTimeout = env.timeout("IDLE_TIMEOUT_IN_MINUTES", time.Minute)
	c.Lifetime = env.timeout("LIFETIME_IN_HOURS", time.Hour)
	c.Namespace = env.get("NAMESPACE")
	c.InsecureAllowHTTP = env.bool("INSECURE_ALLOW_HTTP")
	c.Development = env.bool("DEVELOPMENT")
	c.Cookie.Name = env.get("COOKIE_NAME")
	c.Cookie.Domain = env.get("COOKIE_DOMAIN")
	c.Cookie.Path = env.get("COOKIE_PATH")
	c.Cookie.Partitioned = env.bool("COOKIE_PARTITIONED")
	switch v := strings.ToLower(env.get("COOKIE_SAME_SITE")); v {
	case "", "lax":
	case "strict":
		c.Cookie.SameSite = SameSiteStrict
	case "none":
		c.Cookie.SameSite = SameSiteNone
	default:
		env.refuse("COOKIE_SAME_SITE", fmt.Sprintf("%q: want lax, strict or none", v))
	}
	if v := env.get("NOT_BEFORE"); v != "" {
		if c.NotBefore, err = time.Parse(time.RFC3339, v); err != nil {
			env.refuse("NOT_BEFORE", fmt.Sprintf("%q: want a time such as 2006-01-02T15:04:05Z", v))
		}
	}
	if v := env.get("KEYS"); v != "" {
		if keys, err = ParseKeyring(v); err != nil {
			env.failures = append(env.failures, fmt.Errorf("%sKEYS: %w", prefix, err))
		}
	}
	if len(env.failures) > 0 {
		return Config{}, nil, fmt.Errorf("core: session configuration: %w", errors.Join(env.failures...))
	}
	if err := c.withDefaults().validate(); err != nil {
		return Config{}, nil, fmt.Errorf("core: session configuration from %s*: %w", prefix, err)
	}
	return c, keys, nil
}

type environment struct {
	prefix   string
	failures []error
}

func (e *environment) get(name string) string { return strings.TrimSpace(os.Getenv(e.prefix + name)) }

func (e *environment) refuse(name, why string) {
	e.failures = append(e.failures, fmt.Errorf("%s%s is %s", e.prefix, name, why))
}

func (e *environment) bool(name string) bool {
	v := e.get(name)
	if v == "" {
		return false
	}
	on, err := strconv.ParseBool(v)
	if err != nil {
		e.refuse(name, fmt.Sprintf("%q: want true or false", v))
	}
	return on
}

// timeout reads a number of units; zero means none.
func (e *environment) timeout(name string, unit time.Duration) time.Duration {
	v := e.get(name)
	if v == "" {
		return 0
	}
	const most = 24 * 366 * 100 // hours in a century; keeps the product in range
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n >= 0) || n > float64(most*time.Hour/unit) {
		e.refuse(name, fmt.Sprintf("%q: want a number, 0 for no timeout", v))
		return 0
	}
	if n == 0 {
		return NoTimeout
	}
	d := time.Duration(n * float64(unit))
	if d == 0 { // which would stand for the default
		e.refuse(name, fmt.Sprintf("%q: too short a time, want 0 for no timeout", v))
	}
	return d
}
