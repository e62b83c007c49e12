package core

import "context"

// Seal implements [Sealer].
func (c *CookieSealer) Seal(_ context.Context, scope Scope, r *Record) (string, error) {
	return c.sealBytes(scope, r.appendTo(make([]byte, 0, r.sizeHint()), true))
}

// Open implements [Sealer].
func (c *CookieSealer) Open(_ context.Context, scope Scope, token string) (*Record, error) {
	data, old, err := c.openBytes(scope, token)
	if err != nil {
		return nil, err
	}
	r, err := ParseRecord(data)
	if err == nil {
		r.oldKey = old
	}
	return r, err
}
