package form_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/form"
	"github.com/satchel-go/satchel/core/sessiontest"
)

type secretive struct {
	Open   string
	Closed string `session:"-"`
}

type tree struct {
	secretive
	Left, Right *tree
}

// thread contains itself before its plan knows that it has a secret.
type thread struct {
	Replies []thread
	Text    string
	Key     string `session:"-"`
}

// forest is a list that contains itself through a type without a secret of its own.
type (
	forest []grown
	grown  struct {
		Below below
		Text  string
		Key   string `session:"-"`
	}
	below struct{ Trees forest }
)

// written is a type that marshals itself, with all its fields.
type written struct {
	Open string
	Key  string `session:"-"`
}

func (w written) MarshalText() ([]byte, error)     { return []byte(w.Open + "/" + w.Key), nil }
func (w *written) UnmarshalText(text []byte) error { w.Open = string(text); return nil }

// Secrets reach neither the store nor the page, wherever they are in the input.
func TestSecretsAreNeverKept(t *testing.T) {
	s := secretive{"kept", "geheim"}
	t.Run("field", func(t *testing.T) { stores(t, s, "kept", "geheim") })
	t.Run("struct", func(t *testing.T) { stores(t, struct{ S secretive }{s}, "kept", "geheim") })
	t.Run("embedded", func(t *testing.T) { stores(t, struct{ secretive }{s}, "kept", "geheim") })
	t.Run("whole struct", func(t *testing.T) {
		stores(t, struct {
			A string
			S secretive `session:"-"`
		}{"kept", secretive{"geheim", "geheim"}}, "kept", "geheim")
	})
	t.Run("pointer", func(t *testing.T) { stores(t, struct{ S *secretive }{&s}, "kept", "geheim") })
	t.Run("pointers", func(t *testing.T) {
		p := &s
		stores(t, struct{ S **secretive }{&p}, "kept", "geheim")
	})
	t.Run("slice", func(t *testing.T) { stores(t, struct{ S []secretive }{[]secretive{{}, s}}, "kept", "geheim") })
	t.Run("slice of pointers", func(t *testing.T) { stores(t, struct{ S []*secretive }{[]*secretive{nil, &s}}, "kept", "geheim") })
	t.Run("array", func(t *testing.T) { stores(t, struct{ S [2]secretive }{[2]secretive{{}, s}}, "kept", "geheim") })
	t.Run("map", func(t *testing.T) {
		stores(t, struct{ S map[string]secretive }{map[string]secretive{"a": s}}, "kept", "geheim")
	})
	t.Run("map of slices", func(t *testing.T) {
		stores(t, struct{ S map[int][]*secretive }{map[int][]*secretive{1: {&s}}}, "kept", "geheim")
	})
	t.Run("key of a map", func(t *testing.T) {
		stores(t, struct{ S map[string]string }{map[string]string{"a": "kept", "new_password": "geheim"}}, "kept", "geheim")
	})
	t.Run("itself", func(t *testing.T) {
		stores(t, tree{Left: &tree{Right: &tree{secretive: s}}}, "kept", "geheim")
	})
	t.Run("itself, before the secret", func(t *testing.T) {
		stores(t, thread{Replies: []thread{{Text: "kept", Key: "geheim", Replies: []thread{{Key: "geheim"}}}}}, "kept", "geheim")
	})
	t.Run("itself, on a detour", func(t *testing.T) {
		stores(t, struct{ All forest }{forest{{Text: "kept", Below: below{forest{{Key: "geheim"}}}}}}, "kept", "geheim")
	})
	t.Run("type that writes itself", func(t *testing.T) {
		stores(t, struct{ S []written }{[]written{{"kept", "geheim"}}}, "kept", "geheim")
	})
	t.Run("no input", func(t *testing.T) {
		stores(t, struct {
			A string `form:"a"`
			B string `form:"-"`
			C string `json:"-"`
		}{"kept", "geheim", "geheim"}, "kept", "geheim")
	})
	t.Run("file", func(t *testing.T) {
		file := &multipart.FileHeader{Filename: "geheim"}
		stores(t, struct {
			A string
			B *multipart.FileHeader
			C []*multipart.FileHeader `form:"files"`
			D map[string][2]multipart.FileHeader
			E *multipart.Form
		}{
			"kept", file,
			[]*multipart.FileHeader{file},
			map[string][2]multipart.FileHeader{"d": {*file}},
			&multipart.Form{Value: map[string][]string{"e": {"geheim"}}},
		}, "kept", "geheim")
	})
	if s.Closed != "geheim" {
		t.Error("the caller's own value was changed")
	}
}

// A value that contains itself is cut off somewhere, and is no reason to fail.
func TestValueThatContainsItself(t *testing.T) {
	loop := &tree{secretive: secretive{"kept", "geheim"}}
	loop.Left = loop
	stores(t, *loop, "kept", "geheim")

	loop.Right = loop // two ways back double the work with each level
	sessiontest.New(t).Login("alice", func(s *core.Session) { form.New[tree]("loop").Fail(s, *loop, nil) })
}

// Fields with common names of secrets are left out, whether in the form or in Go.
func TestNamesOfSecrets(t *testing.T) {
	for _, name := range []string{
		"Password", "password2", "PasswordConfirm", "new_password", "user[password]", "userPassword", "passwd", "PASSWORD", "pass", "user_pass",
		"pwd", "Pw", "passphrase", "Passcode", "secret", "ClientSecret", "token", "csrf_token", "CSRFToken", "_csrf", "api_key", "APIKey", "X-Api-Key",
		"access-key", "PrivateKey", "pin", "PIN", "userPIN", "pin2", "otp", "OTPCode", "totp", "cvv", "CVC2", "card_number", "cardNumber", "creditcard",
		"cc-number", "security_code", "verificationCode", "credentials", "SSN", "recovery_codes",
		"TwoFactorCode", "two_factor", "mfa_code", "MFA", "auth_code", "authenticationCode",
		"2fa", "2fa_code", "2FACode", "2FA", "enable2FACode", "2facode", "2-fa", "user[2fa]", "2factor", "twofa", "two_fa", "twofactor_code", "second-factor", "TFA", "mfacode",
		"one-time-code", "OneTimeCode", "otc", "hotp", "otpcode", "smsTAN", "puk", "sms_code", "smscode", "emailCode", "login_code", "signin-code",
		"authenticator_code", "confirmationCode", "verify_code", "validation_code", "activation_code", "access_code", "reset_code", "unlock_code",
		"scratch_code", "backup-codes", "passkey", "card[2].number", "card2number",
	} {
		if kept(t, name) {
			t.Errorf("%q is kept", name)
		}
	}
	for _, name := range []string{
		"name", "email", "Shipping", "shipping_address", "opinion", "spinach", "passport", "passenger", "Compass", "key", "keyword", "code", "number",
		"zip_code", "phone_number", "discount", "card", "pinned", "cotopaxi", "author", "authority_code", "factor",
		"fa", "alfa_code", "lang_fa", "address2", "line2_face", "address2fax", "fax2", "two", "two_colours", "titan", "substance", "botched", "encode", "country_code",
	} {
		if !kept(t, name) {
			t.Errorf("%q is left out", name)
		}
	}
}

// kept reports whether a form keeps a field with this name in the form.
func kept(t *testing.T, name string) bool {
	t.Helper()
	input := struct {
		M map[string]string
	}{map[string]string{name: "x"}}
	p := form.New[struct{ M map[string]string }]("f").Page(input, nil)
	return p.Input.M[name] == "x"
}

func TestNamesOfSecretFields(t *testing.T) {
	in := struct {
		A     string `form:"password"`
		Token string `form:"b"`
		Pin   string `form:"pin" session:"keep"`
	}{"1", "2", "3"}
	got := form.New[struct {
		A     string `form:"password"`
		Token string `form:"b"`
		Pin   string `form:"pin" session:"keep"`
	}]("f").Page(in, nil).Input
	if got.A != "" || got.Token != "" || got.Pin != "3" {
		t.Errorf("kept: %+v", got)
	}
}

// What the form leaves out stays in the handler's value, which it may still use.
func TestInputIsNotChanged(t *testing.T) {
	type input struct {
		Secretive secretive
		Pointer   *secretive
		Slice     []secretive
		Array     [1]secretive
		Map       map[string][]secretive
		Texts     map[string]string
	}
	full := func() input {
		s := secretive{"o", "c"}
		return input{s, &secretive{"o", "c"}, []secretive{s}, [1]secretive{s}, map[string][]secretive{"a": {s}}, map[string]string{"pin": "1"}}
	}
	in, f := full(), form.New[input]("f")
	ann := sessiontest.New(t).Visitor()
	f.Page(in, nil)
	f.Fail(ann.Session(), in, nil)
	ann.End(303)
	if want := full(); !reflect.DeepEqual(in, want) {
		t.Errorf("%+v has become %+v", want, in)
	}
}

// placed is a type whose methods have pointer receivers.
type placed struct{ A, B int }

func (p *placed) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d/%d", p.A, p.B), nil }

func (p *placed) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d/%d", &p.A, &p.B)
	return err
}

func TestTypesThatWriteThemselvesByAPointer(t *testing.T) {
	type input struct {
		One   placed
		List  []placed
		Array [1]placed
		Next  *placed
		Map   map[string]*placed
		In    struct{ Two placed }
	}
	in := input{One: placed{1, 2}, List: []placed{{3, 4}}, Array: [1]placed{{5, 6}}, Map: map[string]*placed{"a": {7, 8}}}
	ann, f := sessiontest.New(t).Visitor(), form.New[input]("f")
	f.Fail(ann.Session(), in, nil)
	ann.End(303)
	p := f.Take(ann.Session())
	if !reflect.DeepEqual(p.Input, in) {
		t.Errorf("%+v has become %+v", in, p.Input)
	}
	for name, want := range map[string]string{"One": "1/2", "List": "3/4", "Array": "5/6", "Next": "", "Map.a": "7/8", "In.Two": "0/0"} {
		if got, err := p.Value(name); got != want || err != nil {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
}

// Types that marshal and unmarshal themselves are kept whole.
func TestTypesThatWriteThemselves(t *testing.T) {
	type input struct {
		At   time.Time
		Addr netip.Addr
		Next *time.Time
	}
	next := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	in := input{next, netip.MustParseAddr("192.0.2.1"), &next}
	p := form.New[input]("f").Page(in, nil)
	if !reflect.DeepEqual(p.Input, in) {
		t.Errorf("kept: %+v", p.Input)
	}
	if got, err := p.Value("Addr"); got != "192.0.2.1" || err != nil {
		t.Errorf("Value is %q, %v", got, err)
	}
}

type (
	list    []map[string]list
	pointer *pointer
)

type oneWay struct{ A string }

func (oneWay) MarshalText() ([]byte, error) { return nil, nil }

func TestTypesThatCannotBeKept(t *testing.T) {
	type inner struct {
		F func()
		C chan int
	}
	for name, test := range map[string]struct {
		make func()
		want []string
	}{
		"no name":           {func() { form.New[person]("") }, []string{"form.New: the name is empty"}},
		"no struct":         {func() { form.New[map[string]string]("f") }, []string{`form.New("f")`, "map[string]string is not a struct"}},
		"pointer":           {func() { form.New[*person]("f") }, []string{"*form_test.person is not a struct", "use the struct type"}},
		"no fields":         {func() { form.New[struct{}]("f") }, []string{"no exported fields"}},
		"none exported":     {func() { form.New[struct{ a, b string }]("f") }, []string{"no exported fields"}},
		"interface":         {func() { form.New[struct{ A any }]("f") }, []string{"field A has the type interface {}", "give it a concrete type", `session:"-"`}},
		"func and channel":  {func() { form.New[struct{ In inner }]("f") }, []string{"field In.F has the type func()", "field In.C has the type chan int"}},
		"complex":           {func() { form.New[struct{ A []complex128 }]("f") }, []string{"field A has the type complex128"}},
		"made of itself":    {func() { form.New[struct{ A []list }]("f") }, []string{"field A has the type form_test.list", "contains itself"}},
		"pointed at itself": {func() { form.New[struct{ A pointer }]("f") }, []string{"field A has the type form_test.pointer", "contains itself"}},
		"keys":              {func() { form.New[struct{ A map[float64]int }]("f") }, []string{"field A has the type map[float64]int", "strings or integers"}},
		"values of a map":   {func() { form.New[struct{ A map[string]placed }]("f") }, []string{"field A has the type map[string]form_test.placed", "use pointers as values"}},
		"inside those":      {func() { form.New[struct{ A map[int]struct{ B [2]placed } }]("f") }, []string{"field A has the type map[int]struct", "use pointers as values"}},
		"empty":             {func() { form.New[struct{ A atomic.Int64 }]("f") }, []string{"field A has the type atomic.Int64", "come back empty", `session:"-"`}},
		"empty, inside":     {func() { form.New[struct{ A map[string][]*bytes.Buffer }]("f") }, []string{"field A has the type bytes.Buffer", "come back empty"}},
		"one way":           {func() { form.New[struct{ A oneWay }]("f") }, []string{"field A has the type form_test.oneWay", "but not unmarshal itself"}},
		"writes itself":     {func() { form.New[struct{ time.Time }]("f") }, []string{"has MarshalJSON or MarshalText"}},
		"wrong tag": {func() {
			form.New[struct {
				A string `session:"secret"`
			}]("f")
		}, []string{`field A: the tag session:"secret" means nothing`, `"-" to leave it out`}},
		"tags at odds": {func() {
			form.New[struct {
				A string `session:"keep" json:"-"`
			}]("f")
		}, []string{"field A", "contradicts"}},
		"embedded pointer": {func() { form.New[struct{ *secretive }]("f") }, []string{"field secretive", "embed the type itself"}},
		"embedded, left out": {func() {
			form.New[struct {
				secretive `session:"-"`
			}]("f")
		}, []string{"field secretive", "tag its fields"}},
		"the same type twice": {func() { form.New[struct{ A, B any }]("f") }, []string{"field A has", "field B has"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				for _, part := range append(test.want, "satchel: form.New") {
					if !strings.Contains(text, part) {
						t.Errorf("panicked with %q, want %q in it", text, part)
					}
				}
			}()
			test.make()
		})
	}
	form.New[struct {
		A string
		F func() `session:"-"`
		B any    `form:"-"`
	}]("f") // left out, they do no harm
}
