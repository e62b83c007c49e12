package jwtsealer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/sealed"
)

// version is that of the claim satchel.
const version = 1

// maxClaims is the size of what Config.Claims adds, in bytes.
const maxClaims = 1 << 10

// reserved are the names of claims that Config.Claims cannot use, in any case,
// because encoding/json finds fields in any.
var reserved = []string{"iss", "aud", "sub", "sid", "iat", "exp", "nbf", "jti", "auth_time", satchelClaim}

const satchelClaim = "satchel"

// public are the claims that others read, in the order in which they are written.
type public struct {
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"`
	Subject  string          `json:"sub,omitempty"`
	Session  string          `json:"sid"`
	IssuedAt int64           `json:"iat"`
	Expires  int64           `json:"exp"`
	AuthTime int64           `json:"auth_time,omitempty"`
}

// private is the claim satchel, which has the session.
type private struct {
	Version   int    `json:"v"`
	Namespace string `json:"ns"`
	Name      string `json:"nm"`
	Purpose   string `json:"for"`

	// Sealed is the record as sealed.Cookie seals it. Otherwise, Record is the
	// record in base64url; it lacks the values if they are in Values.
	Sealed string                     `json:"d,omitempty"`
	Record string                     `json:"r,omitempty"`
	Values map[string]json.RawMessage `json:"values,omitempty"`
}

// claimsFormat writes and reads claims.
type claimsFormat struct {
	issuer   string
	audience [kinds]json.RawMessage
	sealer   core.Sealer // of Private.Sealed, or nil
	readable bool
	subject  func(user string) string
	extra    func(r *core.Record) map[string]any
}

// newClaimsFormat returns the format for c, which is valid.
func newClaimsFormat(c Config) claimsFormat {
	f := claimsFormat{issuer: c.Issuer, readable: c.Readable, subject: c.Subject, extra: c.Claims}
	if c.Seal != nil {
		f.sealer = sealed.Cookie(c.Seal)
	}
	// Touches and copies are nobody else's business.
	ours := encodedAudience([]string{c.Issuer})
	f.audience = [kinds]json.RawMessage{session: encodedAudience(c.Audience), touch: ours, duplicate: ours}
	return f
}

// encodedAudience returns the claim aud: a string if there is one entry.
func encodedAudience(entries []string) json.RawMessage {
	var v any = entries
	if len(entries) == 1 {
		v = entries[0]
	}
	data, err := encodeJSON(v)
	if err != nil {
		return nil // strings can be encoded
	}
	return data
}

// innerScope is the scope of Private.Sealed, which opens nowhere else.
func innerScope(scope core.Scope) core.Scope {
	scope.Purpose = "jwt " + scope.Purpose
	return scope
}

// encode returns the claims for r.
func (f *claimsFormat) encode(ctx context.Context, kind kind, scope core.Scope, r *core.Record) ([]byte, error) {
	head := f.publicOf(kind, r)
	if head.Subject = f.subjectOf(r); !utf8.ValidString(head.Subject) {
		// It would be written as another, who may exist.
		return nil, errors.New("jwtsealer: seal: the user, or what Config.Subject makes of it, is not UTF-8, as JSON has to be")
	}
	tail, err := f.privateOf(ctx, kind, scope, r)
	if err != nil {
		return nil, err
	}
	var extra map[string]any
	if f.extra != nil && kind == session {
		extra = f.extra(r)
	}
	middle, err := encodeExtra(extra)
	if err != nil {
		return nil, err
	}
	begin, end, err := join(&head, &tail)
	return slices.Concat(begin, middle, end), err
}

// publicOf returns the public claims that r decides, so all but sub.
func (f *claimsFormat) publicOf(kind kind, r *core.Record) public {
	c := public{
		Issuer: f.issuer, Audience: f.audience[kind], Session: r.ID.String(),
		IssuedAt: r.SavedAt.Unix(), Expires: r.Expires.Unix(),
	}
	if !r.AuthenticatedAt.IsZero() {
		c.AuthTime = r.AuthenticatedAt.Unix()
	}
	return c
}

func (f *claimsFormat) subjectOf(r *core.Record) string {
	if r.User == "" || f.subject == nil {
		return r.User
	}
	return f.subject(r.User)
}

func (f *claimsFormat) privateOf(ctx context.Context, kind kind, scope core.Scope, r *core.Record) (private, error) {
	c := private{Version: version, Namespace: scope.Namespace, Name: scope.Name, Purpose: scope.Purpose}
	if f.seals(kind) {
		var err error
		c.Sealed, err = f.sealer.Seal(ctx, innerScope(scope), r)
		return c, err
	}
	if f.hasValues(kind) {
		for key, raw := range r.Values() {
			if !utf8.ValidString(key) {
				return c, errors.New("jwtsealer: seal: a value's key is not UTF-8, as JSON has to be")
			}
			if c.Values == nil {
				c.Values = map[string]json.RawMessage{}
			}
			c.Values[key] = raw
		}
		r = r.WithContent(nil, r.StoredFlashes())
	}
	data, err := r.MarshalBinary()
	c.Record = encoding.EncodeToString(data)
	return c, err
}

// seals reports whether tokens of a kind are encrypted inside. A touch has a hash and
// times alone, so nothing to hide.
func (f *claimsFormat) seals(kind kind) bool { return f.sealer != nil && kind != touch }

// hasValues reports whether tokens of a kind have readable values.
func (f *claimsFormat) hasValues(kind kind) bool { return f.readable && kind != touch }

// join returns the claims in two pieces, between which further ones can be. They are
// what encoding/json makes of head and tail, which would be most of the cost of a token.
func join(head *public, tail *private) (begin, end []byte, err error) {
	room := len(head.Issuer) + len(head.Audience) + len(head.Subject) + len(head.Session) + len(tail.Namespace) + len(tail.Name) +
		len(tail.Purpose) + len(tail.Sealed) + len(tail.Record) + 200 // for names and numbers
	b := appendText(append(make([]byte, 0, room), `{"iss":`...), head.Issuer)
	b = append(append(b, `,"aud":`...), head.Audience...)
	if head.Subject != "" {
		b = appendText(append(b, `,"sub":`...), head.Subject)
	}
	b = appendText(append(b, `,"sid":`...), head.Session)
	b = strconv.AppendInt(append(b, `,"iat":`...), head.IssuedAt, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), head.Expires, 10)
	if head.AuthTime != 0 {
		b = strconv.AppendInt(append(b, `,"auth_time":`...), head.AuthTime, 10)
	}
	half := len(b)
	b = strconv.AppendInt(append(b, `,"`+satchelClaim+`":{"v":`...), int64(tail.Version), 10)
	b = appendText(append(b, `,"ns":`...), tail.Namespace)
	b = appendText(append(b, `,"nm":`...), tail.Name)
	b = appendText(append(b, `,"for":`...), tail.Purpose)
	if tail.Sealed != "" {
		b = appendText(append(b, `,"d":`...), tail.Sealed)
	}
	if tail.Record != "" {
		b = appendText(append(b, `,"r":`...), tail.Record)
	}
	if len(tail.Values) > 0 {
		values, err := encodeJSON(tail.Values)
		if err != nil {
			return nil, nil, err
		}
		b = append(append(b, `,"values":`...), values...)
	}
	b = append(b, "}}"...)
	return b[:half:half], b[half:], nil
}

// appendText appends s as a JSON string, in encoding/json's spelling without its
// escapes for HTML.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			text, err := encodeJSON(s)
			if err != nil {
				return b // strings can be encoded
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// encodeExtra returns claims as members that follow others, sorted by name, or nil.
func encodeExtra(claims map[string]any) ([]byte, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	for name := range claims {
		if slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) }) {
			return nil, fmt.Errorf("jwtsealer: seal: Config.Claims has the claim %s, which is not the application's", strings.ToLower(name))
		}
	}
	data, err := encodeJSON(claims)
	if err != nil {
		return nil, errors.New("jwtsealer: seal: Config.Claims has what JSON cannot express") // without it
	}
	if data, err = canonical(data); err != nil {
		return nil, err
	}
	if len(data) > maxClaims {
		return nil, fmt.Errorf("jwtsealer: seal: Config.Claims has %d bytes; at most %d", len(data), maxClaims)
	}
	return append([]byte{','}, data[1:len(data)-1]...), nil
}

// canonical returns the one spelling of a JSON object.
func canonical(object []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber() // as they are written
	var members map[string]any
	if err := d.Decode(&members); err != nil {
		return nil, errNotOurs
	}
	return encodeJSON(members)
}

// decode returns the record in claims. They are authentic, but anybody who has the
// key may have written them. They must be exactly what encode writes.
func (f *claimsFormat) decode(ctx context.Context, kind kind, scope core.Scope, claims []byte) (*core.Record, error) {
	if r := f.unchanged(ctx, kind, scope, claims); r != nil {
		return r, nil
	}
	var c struct {
		public
		Satchel private `json:"satchel"`
	}
	if json.Unmarshal(claims, &c) != nil {
		return nil, errNotOurs
	}
	if c.Satchel.Version > version {
		return nil, fmt.Errorf("%w: token %d", core.ErrNewerVersion, c.Satchel.Version)
	}
	if !isSpelledLikeOurs(claims, &c.public, &c.Satchel) || !f.isFor(kind, scope, &c.public, &c.Satchel) {
		return nil, errNotOurs
	}
	r, err := f.record(ctx, kind, scope, &c.Satchel)
	if err != nil {
		return nil, err
	}
	want := f.publicOf(kind, r)
	if want.Session != c.Session || want.IssuedAt != c.IssuedAt || want.Expires != c.Expires || want.AuthTime != c.AuthTime ||
		f.readable && r.User != c.Subject { // with Readable there are no pseudonyms
		return nil, errNotOurs
	}
	return r, nil
}

// unchanged returns the record in claims if they are exactly what encode would write
// today, or nil. It decodes no JSON, which would be most of the cost of a token.
func (f *claimsFormat) unchanged(ctx context.Context, kind kind, scope core.Scope, claims []byte) *core.Record {
	body, ok := bytes.CutSuffix(claims, []byte(`"}}`))
	if !ok || f.hasValues(kind) {
		return nil
	}
	tail := private{Version: version, Namespace: scope.Namespace, Name: scope.Name, Purpose: scope.Purpose}
	if text := string(body[bytes.LastIndexByte(body, '"')+1:]); f.seals(kind) {
		tail.Sealed = text
	} else {
		tail.Record = text
	}
	r, err := f.record(ctx, kind, scope, &tail)
	if err != nil {
		return nil
	}
	head := f.publicOf(kind, r)
	head.Subject = f.subjectOf(r)
	if !isSpelledLikeOurs(claims, &head, &tail) {
		return nil
	}
	return r
}

// isSpelledLikeOurs reports whether claims are the encoding of what was decoded from
// them: so there are no other members and none twice, nothing is missing or null,
// and no character is written in another way.
func isSpelledLikeOurs(claims []byte, head *public, tail *private) bool {
	begin, end, err := join(head, tail)
	if err != nil {
		return false
	}
	rest, ok1 := bytes.CutPrefix(claims, begin)
	middle, ok2 := bytes.CutSuffix(rest, end)
	if !ok1 || !ok2 {
		return false
	}
	return len(middle) == 0 || isExtra(middle)
}

// isExtra reports whether members are what encodeExtra writes.
func isExtra(members []byte) bool {
	if members[0] != ',' || len(members) > maxClaims {
		return false
	}
	var claims map[string]any
	d := json.NewDecoder(bytes.NewReader(slices.Concat([]byte{'{'}, members[1:], []byte{'}'})))
	d.UseNumber()
	if d.Decode(&claims) != nil {
		return false
	}
	again, err := encodeExtra(claims)
	return err == nil && bytes.Equal(again, members)
}

// isFor reports whether claims are for us, and for scope.
func (f *claimsFormat) isFor(kind kind, scope core.Scope, head *public, tail *private) bool {
	return tail.Version == version && head.Issuer == f.issuer && f.isAudience(kind, head.Audience) &&
		tail.Namespace == scope.Namespace && tail.Name == scope.Name && tail.Purpose == scope.Purpose
}

// isAudience reports whether the issuer is an entry of aud. The others may have
// changed since.
func (f *claimsFormat) isAudience(kind kind, audience json.RawMessage) bool {
	if bytes.Equal(audience, f.audience[kind]) {
		return true
	}
	var entries []string
	if kind != session || json.Unmarshal(audience, &entries) != nil && json.Unmarshal(slices.Concat([]byte{'['}, audience, []byte{']'}), &entries) != nil {
		return false
	}
	return slices.Contains(entries, f.issuer) && bytes.Equal(encodedAudience(entries), audience)
}

// record returns the record in c, which is only as readable as this sealer writes.
func (f *claimsFormat) record(ctx context.Context, kind kind, scope core.Scope, c *private) (*core.Record, error) {
	if f.seals(kind) {
		if c.Record != "" || c.Values != nil {
			return nil, errNotOurs
		}
		r, err := f.sealer.Open(ctx, innerScope(scope), c.Sealed)
		if err != nil && !errors.Is(err, core.ErrCorrupt) && !errors.Is(err, core.ErrNewerVersion) {
			return nil, errNotOurs
		}
		return r, err
	}
	if c.Sealed != "" || !f.hasValues(kind) && c.Values != nil {
		return nil, errNotOurs
	}
	data, ok := decode(c.Record)
	if !ok {
		return nil, errNotOurs
	}
	r, err := core.ParseRecord(data)
	if err != nil || !f.hasValues(kind) {
		return r, err
	}
	if len(maps.Collect(r.Values())) > 0 {
		return nil, errNotOurs // which Values would replace
	}
	return r.WithContent(sorted(c.Values), r.StoredFlashes()), nil
}

// sorted returns values in the order of their keys.
func sorted(values map[string]json.RawMessage) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if !yield(key, values[key]) {
				return
			}
		}
	}
}

// encodeJSON encodes v without blanks and without escaping HTML.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("jwtsealer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}
