package core

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ConfigFromEnv reads a Config from environment variables. With the prefix
// "SESSION_", they are
//
//	SESSION_IDLE_TIMEOUT_IN_MINUTES   a number; 0 disables it
//	SESSION_LIFETIME_IN_HOURS         a number; 0 disables it
//	SESSION_NAMESPACE                 see Config.Namespace
//	SESSION_NOT_BEFORE                a time, as 2006-01-02T15:04:05Z
//	SESSION_INSECURE_ALLOW_HTTP       true or false
//	SESSION_DEVELOPMENT               true or false
//	SESSION_COOKIE_NAME, SESSION_COOKIE_DOMAIN, SESSION_COOKIE_PATH
//	SESSION_COOKIE_SAME_SITE          lax, strict or none
//	SESSION_COOKIE_PARTITIONED        true or false
//	SESSION_COOKIE_FORMER             a list, as session; Domain=example.com; Path=/app; Partitioned, session
//
// Numbers may have a fraction. An unset or empty variable keeps the default. The
// error names every invalid variable. A Config holds no keys; read them with
// sealed.ParseKeyring(os.Getenv("SESSION_KEYS")).
func ConfigFromEnv(prefix string) (c Config, err error) {
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
	c.Cookie.Former = env.cookies("COOKIE_FORMER")
	switch v := strings.ToLower(env.get("COOKIE_SAME_SITE")); v {
	case "", "lax":
	case "strict":
		c.Cookie.SameSite = SameSiteStrict
	case "none":
		c.Cookie.SameSite = SameSiteNone
	default:
		env.refuse("COOKIE_SAME_SITE", fmt.Sprintf("%q: use lax, strict or none", v))
	}
	if v := env.get("NOT_BEFORE"); v != "" {
		if c.NotBefore, err = time.Parse(time.RFC3339, v); err != nil {
			env.refuse("NOT_BEFORE", fmt.Sprintf("%q: use a time such as 2006-01-02T15:04:05Z", v))
		}
	}
	if len(env.failures) > 0 {
		return Config{}, fmt.Errorf("core: session configuration: %w", errors.Join(env.failures...))
	}
	if err := c.withDefaults().validate(); err != nil {
		return Config{}, fmt.Errorf("core: session configuration from %s*: %w", prefix, err)
	}
	return c, nil
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
		e.refuse(name, fmt.Sprintf("%q: use true or false", v))
	}
	return on
}

// cookies reads a list of cookies, each written as in Set-Cookie, without a value.
func (e *environment) cookies(name string) (all []Cookie) {
	v := e.get(name)
	if v == "" {
		return nil
	}
	for one := range strings.SplitSeq(v, ",") {
		cookieName, attributes, _ := strings.Cut(one, ";")
		c := Cookie{Name: strings.TrimSpace(cookieName)}
		known := c.Name != ""
		for attribute := range strings.SplitSeq(attributes, ";") {
			key, value, _ := strings.Cut(attribute, "=")
			value = strings.TrimSpace(value)
			switch strings.ToLower(strings.TrimSpace(key)) {
			case "":
			case "domain":
				c.Domain = value
			case "path":
				c.Path = value
			case "partitioned":
				c.Partitioned = true
			default:
				known = false
			}
		}
		if !known {
			e.refuse(name, fmt.Sprintf("%q: write each cookie as NAME; Domain=DOMAIN; Path=PATH; Partitioned, without what it did not have", one))
			return nil
		}
		all = append(all, c)
	}
	return all
}

// timeout reads a number of units; zero means no timeout.
func (e *environment) timeout(name string, unit time.Duration) time.Duration {
	v := e.get(name)
	if v == "" {
		return 0
	}
	const most = 24 * 366 * 100 // hours in a century, to keep the product in range
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || !(n >= 0) || n > float64(most*time.Hour/unit) {
		e.refuse(name, fmt.Sprintf("%q: use a number, or 0 for no timeout", v))
		return 0
	}
	if n == 0 {
		return NoTimeout
	}
	d := time.Duration(n * float64(unit))
	if d == 0 { // zero would mean the default
		e.refuse(name, fmt.Sprintf("%q: too short; use 0 for no timeout", v))
	}
	return d
}
