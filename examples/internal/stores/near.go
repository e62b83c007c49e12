package stores

import (
	"errors"
	"net/url"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/goredisstore"
	"github.com/satchel-go/satchel/core/nearcache"
)

// openNearRedis returns the opener of a scheme that goredisstore understands after near+,
// with copies in this process.
func openNearRedis(scheme string) opener {
	return func(rest, _ string) (core.Backend, func() error, error) {
		c, rest, err := window(rest)
		if err != nil {
			return nil, nil, err
		}
		store, err := goredisstore.Open(scheme+":"+rest, goredisstore.Config{})
		if err != nil {
			return nil, nil, err
		}
		near, err := nearcache.New(store, c)
		if err != nil {
			return nil, nil, errors.Join(err, store.Close())
		}
		return core.ServerSide(near), func() error { return errors.Join(near.Close(), store.Close()) }, nil
	}
}

// window takes the parameter window out of what follows a scheme.
func window(rest string) (c nearcache.Config, without string, err error) {
	u, err := url.Parse("near:" + rest)
	if err != nil {
		return c, "", errors.New("it is not a URL")
	}
	query := u.Query()
	if text := query.Get("window"); text != "" {
		if c.Window, err = time.ParseDuration(text); err != nil {
			return c, "", errors.New("window: want a duration such as 1s")
		}
	}
	query.Del("window")
	u.RawQuery = query.Encode()
	return c, u.String()[len("near:"):], nil
}
