package core_test

import (
	"bytes"
	"container/list"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unique"

	"github.com/satchel-go/satchel/core"
)

// mustURL returns a URL with everything in it.
func mustURL() *url.URL {
	u, err := url.Parse("https://ann:pw@example.com:8443/a%2Fb?q=1#f")
	if err != nil {
		panic(err)
	}
	return u
}

// TestE1TypesOfTheStandardLibrary: what Set accepts comes back, and what cannot come
// back is refused.
func TestE1TypesOfTheStandardLibrary(t *testing.T) {
	rsaKey := rsa.PublicKey{N: big.NewInt(3233), E: 17}
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	ecKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	yes, no := [2]bool{true, true}, [2]bool{}
	cborOnly := [2]bool{true, false}
	for name, c := range map[string]struct {
		v    any
		kept [2]bool // by CBOR, by JSON
	}{
		"time.Time":            {time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600)), yes},
		"time.Duration":        {time.Minute, yes},
		"time.Month":           {time.May, yes},
		"time.Location":        {*time.UTC, no},
		"*time.Timer":          {time.NewTimer(time.Hour), no},
		"big.Int":              {*big.NewInt(1 << 40), yes},
		"*big.Int":             {new(big.Int).Lsh(big.NewInt(1), 100), yes},
		"big.Rat":              {*big.NewRat(1, 3), yes},
		"*big.Float":           {big.NewFloat(1.5), yes},
		"url.URL":              {*mustURL(), cborOnly}, // to JSON, the password is hidden
		"*url.URL":             {mustURL(), cborOnly},
		"url.Values":           {url.Values{"a": {"b", "c"}}, yes},
		"url.Userinfo":         {*url.UserPassword("a", "b"), no},
		"netip.Addr":           {netip.MustParseAddr("2001:db8::1"), yes},
		"netip.Prefix":         {netip.MustParsePrefix("10.0.0.0/8"), yes},
		"net.IP":               {net.ParseIP("10.0.0.1"), yes},
		"net.IPNet":            {net.IPNet{IP: net.IP{10, 0, 0, 0}, Mask: net.CIDRMask(8, 32)}, yes},
		"net.HardwareAddr":     {net.HardwareAddr{1, 2, 3, 4, 5, 6}, yes},
		"net.Dialer":           {net.Dialer{}, no},
		"mail.Address":         {mail.Address{Name: "Ann", Address: "ann@example.com"}, yes},
		"http.Header":          {http.Header{"A": {"b"}}, yes},
		"http.Cookie":          {http.Cookie{Name: "a", Value: "b", Expires: time.Unix(1, 0).UTC()}, yes},
		"*http.Request":        {&http.Request{Method: "GET"}, no},
		"multipart.FileHeader": {multipart.FileHeader{Filename: "a", Size: 1}, yes},
		"sql.NullString":       {sql.NullString{String: "a", Valid: true}, yes},
		"sql.NullTime":         {sql.NullTime{Time: time.Unix(1, 0).UTC(), Valid: true}, yes},
		"sql.Null":             {sql.Null[int]{V: 1, Valid: true}, yes},
		"*sql.DB":              {&sql.DB{}, no},
		"json.Number":          {json.Number("12.5"), yes},
		"json.RawMessage":      {json.RawMessage(`{"a":1}`), yes},
		"template.HTML":        {template.HTML("<b>"), yes},
		"*template.Template":   {template.New("a"), no},
		"regexp.Regexp":        {*regexp.MustCompile("a+"), yes},
		"slog.Level":           {slog.LevelWarn, yes},
		"slog.Attr":            {slog.String("a", "b"), no},
		"image.Point":          {image.Pt(1, 2), yes},
		"color.RGBA":           {color.RGBA{1, 2, 3, 4}, yes},
		"rsa.PublicKey":        {rsaKey, yes},
		"ed25519.PrivateKey":   {edKey, yes},
		"*ecdsa.PublicKey":     {&ecKey.PublicKey, no},
		"errors.New":           {errors.New("a"), no},
		"fmt.Errorf":           {fmt.Errorf("a: %w", io.EOF), no},
		"*url.Error":           {&url.Error{Op: "Get", URL: "/", Err: io.EOF}, no},
		"context.Context":      {context.Background(), [2]bool{true, true}}, // it is empty
		"context.WithValue":    {context.WithValue(context.Background(), yes, 1), no},
		"bytes.Buffer":         {bytes.NewBufferString("a"), no},
		"strings.Builder":      {&strings.Builder{}, no},
		"strings.Reader":       {strings.NewReader("a"), no},
		"list.List":            {list.New(), no},
		"sync.Map":             {&sync.Map{}, no},
		"sync.Mutex":           {&sync.Mutex{}, yes},
		"sync.WaitGroup":       {&sync.WaitGroup{}, no},
		"sync.Once":            {&sync.Once{}, no},
		"atomic.Int64":         {&atomic.Int64{}, no},
		"atomic.Value":         {&atomic.Value{}, no},
		"atomic.Pointer":       {&atomic.Pointer[int]{}, no},
		"unique.Handle":        {unique.Make("a"), no},
		"reflect.Value":        {reflect.ValueOf(1), no},
		"struct{}":             {struct{}{}, yes},
		"core.ID":              {core.ID{1}, yes},
		"core.Flash":           {core.Flash{Kind: "a", Text: "b"}, yes},
	} {
		for i, codec := range []core.Codec{core.CBOR(), core.JSON()} {
			for where, v := range map[string]any{"alone": c.v, "in a list": reflect.Append(reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(c.v)), 0, 1), reflect.ValueOf(c.v)).Interface()} {
				data, err := codec.Encode(v)
				if (err == nil) != c.kept[i] {
					t.Errorf("%s, %T, %s: %v", name, codec, where, err)
				}
				if err != nil {
					continue
				}
				back := reflect.New(reflect.TypeOf(v))
				if err := codec.Decode(data, back.Interface()); err != nil {
					t.Errorf("%s, %T, %s: it does not come back: %v", name, codec, where, err)
					continue
				}
				if again, err := codec.Encode(back.Elem().Interface()); err != nil || !bytes.Equal(again, data) {
					t.Errorf("%s, %T, %s: comes back as %q, %v, not %q", name, codec, where, again, err, data)
				}
			}
		}
	}
}

type (
	quiet   struct{ n int }
	counter struct {
		mu sync.Mutex
		N  int
		n  int
	}
	locked struct {
		sync.Mutex
		N int
	}
	embedsQuiet struct {
		atomic.Int64
		N int
	}
	droppedByJSON struct {
		ID   int `json:"-"`
		Name string
	}
	droppedByBoth struct {
		ID   int `json:"-" cbor:"-"`
		Name string
	}
	keptByCBOR struct {
		ID   int `json:"-" cbor:"id"`
		Name string
	}
	droppedLock struct {
		Mu   sync.Mutex `json:"-"`
		Name string
	}
	droppedBase struct {
		Base droppedByJSON `json:"-"`
		Name string
	}
	keyA    struct{ X int }
	keyB    struct{ X int }
	sameKey struct {
		keyA
		keyB
	}
	keyed     struct{ ID int }
	Base      struct{ ID int }
	alsoKeyed struct{ keyed }
	hides     struct {
		keyed
		ID string
	}
	hidesInJSON struct {
		keyed
		ID string `cbor:"own"`
	}
	hidesByTag struct {
		keyed
		Own string `json:"ID"`
	}
	tagged struct {
		Own int `json:"ID"`
	}
	sameDepth struct {
		keyed
		tagged
	}
	hidesDeep struct {
		hides
		N int
	}
	leftOut struct {
		ID int `json:"-" cbor:"-"`
		N  int
	}
	hidesNothing struct {
		leftOut
		ID string
	}
	lockKeyed struct{ Mu sync.Mutex }
	hidesLock struct {
		lockKeyed
		Mu sync.Mutex
		N  int
	}
	namedKeyed struct {
		Base `cbor:"base" json:"base"`
		ID   string
	}
	embedsTwice struct {
		keyed
		alsoKeyed
	}
	stamped struct {
		time.Time
		Source string
	}
	stampedAlone struct{ time.Time }
	stampedOwn   struct {
		time.Time
		Source string
	}
	oneWayText     struct{ s string }
	byValue        struct{ S string }
	stampedPointer struct{ *time.Time }
	stampedDeeper  struct{ stamped }
	numbered       struct {
		ID int `cbor:"1,keyasint"`
	}
	inner     struct{ Up int }
	byPointer struct {
		*inner
		N int
	}
	hasError struct {
		Name string
		Err  error
	}
	hasTwo struct {
		B func()
		C chan int
	}
	deepError   struct{ Items []map[string]*hasError }
	ownPointers *ownPointers
)

func (s stampedOwn) MarshalText() ([]byte, error)    { return []byte(s.Source), nil }
func (s *stampedOwn) UnmarshalText(b []byte) error   { s.Source = string(b); return nil }
func (s stampedOwn) MarshalBinary() ([]byte, error)  { return []byte(s.Source), nil }
func (s *stampedOwn) UnmarshalBinary(b []byte) error { s.Source = string(b); return nil }
func (s stampedOwn) MarshalJSON() ([]byte, error)    { return json.Marshal(s.Source) }
func (s *stampedOwn) UnmarshalJSON(b []byte) error   { return json.Unmarshal(b, &s.Source) }
func (o oneWayText) MarshalText() ([]byte, error)    { return []byte(o.s), nil }
func (v byValue) MarshalText() ([]byte, error)       { return []byte(v.S), nil }
func (byValue) UnmarshalText([]byte) error           { return nil }

// TestE1TypesThatCannotComeBack has the cases of the application's own types.
func TestE1TypesThatCannotComeBack(t *testing.T) {
	lmt := time.FixedZone("LMT", 3600+17)
	for name, c := range map[string]struct {
		v          any
		cbor, json string // part of the error, "" if it is kept
	}{
		"only unexported":        {quiet{1}, "would come back empty", "would come back empty"},
		"pointer to it":          {&quiet{1}, "would come back empty", "would come back empty"},
		"inside":                 {struct{ In map[string][]quiet }{}, "field In: a core_test.quiet would come back empty", "field In: "},
		"unexported beside":      {&counter{N: 1, n: 2}, "", ""},
		"lock":                   {&locked{N: 1}, "", ""},
		"embedded atomic":        {&embedsQuiet{N: 1}, "field Int64: an atomic.Int64 would come back empty", "field Int64: "},
		"json alone":             {droppedByJSON{ID: 1}, `field ID: json:"-" would drop it from sessions too: add cbor:"-"`, `field ID: json:"-" would drop it: add cbor:"-"`},
		"json alone, inside":     {[]any{map[string]any{"u": &droppedByJSON{}}}, "field ID", "field ID"},
		"json alone, of a whole": {droppedBase{}, "field Base", "field Base"},
		"both tags":              {droppedByBoth{ID: 1}, "", ""},
		"a name for CBOR":        {keptByCBOR{ID: 1}, "", "field ID"},
		"json alone, of a lock":  {&droppedLock{}, "", ""},
		"one key twice":          {sameKey{keyA{1}, keyB{2}}, `field X: another field is written as "X" too`, "field X: "},
		"hidden further out":     {hides{ID: "a"}, `field keyed.ID: another field is written as "ID" in its place`, "field keyed.ID: "},
		"hidden, a CBOR name":    {hidesInJSON{ID: "a"}, "", "field keyed.ID: "},
		"hidden by a tag":        {hidesByTag{}, `field keyed.ID: another field is written as "ID"`, "field keyed.ID: "},
		"hidden by its like":     {sameDepth{}, `field keyed.ID: another field is written as "ID"`, "field keyed.ID: "},
		"hidden, deep":           {[]hidesDeep{{}}, "field hides.keyed.ID: ", "field hides.keyed.ID: "},
		"hidden, left out":       {hidesNothing{ID: "a"}, "", ""},
		"hidden lock":            {&hidesLock{N: 1}, "", ""},
		"embedded in a name":     {namedKeyed{ID: "a"}, "", ""},
		"embedded twice":         {embedsTwice{}, "field alsoKeyed.keyed: core_test.keyed is embedded further out too", "field alsoKeyed.keyed: "},
		"embedded methods":       {stamped{Source: "a"}, "field Source: it would be lost", "field Source: it would be lost"},
		"embedded methods alone": {stampedAlone{time.Unix(1, 0).UTC()}, "", ""},
		"embedded methods, deep": {stampedDeeper{stamped{Source: "a"}}, "field stamped.Source: it would be lost", "field stamped.Source: "},
		"methods of a pointer":   {stampedPointer{new(time.Time)}, "UnmarshalBinary does not get a pointer", "UnmarshalJSON does not get a pointer"},
		"of a nil pointer":       {stampedPointer{}, "UnmarshalBinary does not get a pointer", "UnmarshalJSON does not get a pointer"},
		"decoded by value":       {byValue{"a"}, "UnmarshalText does not get a pointer", "UnmarshalText does not get a pointer"},
		"own methods":            {stampedOwn{Source: "a"}, "", ""},
		"one way":                {oneWayText{"a"}, "has MarshalText but not UnmarshalText", "has MarshalText but not UnmarshalText"},
		"embedded pointer":       {byPointer{inner: &inner{1}}, "field inner: an embedded pointer", "field inner: an embedded pointer"},
		"error":                  {hasError{}, "field Err: an error can hold values of many types", "field Err: "},
		"error, deep":            {deepError{}, "field Items.Err: an error can hold", "field Items.Err: "},
		"channel":                {struct{ C chan int }{}, "field C: a chan int cannot be stored", "field C: "},
		"function":               {map[string]func(){}, "a func() cannot be stored", "a func() cannot be stored"},
		"function in any":        {[]any{1, func() {}}, "a func() cannot be stored", "a func() cannot be stored"},
		"pointers alone":         {ownPointers(nil), "nothing but pointers", "nothing but pointers"},
		"pointers as keys":       {map[*int]int{}, "pointers as keys", "pointers as keys"},
		"big.Int in an any":      {[]any{*big.NewInt(1)}, "", "put a pointer into the interface"},
		"big.Int in a map":       {map[string]big.Int{"a": *big.NewInt(1)}, "", "use a map of pointers"},
		"two at once":            {struct{ A []hasTwo }{}, "field A.B: a func() cannot be stored\nfield A.C: a chan int cannot", "field A.C: "},
		"generic":                {map[string]any{"a": []any{1, "b", nil, map[string]any{}}}, "", ""},
		"numbers as keys":        {map[int][]numbered{1: {{2}}}, "", ""},
		"the same in an any":     {[]any{map[int]int{1: 2}}, "keys that are not strings", ""},
		"and in a field":         {struct{ In any }{[]*numbered{{2}}}, "field In: in an any, a core_test.numbered cannot be read", ""},
		"and of any type":        {[]any{map[any]any{"a": map[any]any{1: 2}}}, "keys that are not strings", "unsupported type"},
		"strings of any type":    {[]any{map[any]any{"a": map[any]any{"b": 1}}}, "", "unsupported type"},
		"texts as keys":          {[]any{map[core.ID]int{{1}: 2}}, "", ""},
		"seconds":                {time.Date(1850, 1, 1, 0, 0, 0, 0, lmt), "use its UTC method", "use its UTC method"},
		"seconds inside":         {struct{ At []*sql.NullTime }{[]*sql.NullTime{{Time: time.Unix(0, 0).In(lmt)}}}, "field Time: a time whose offset", "field Time: a time"},
		"seconds in an any":      {map[string]any{"a": []any{time.Unix(0, 0).In(lmt)}}, "use its UTC method", "use its UTC method"},
		"seconds as a key":       {map[time.Time]int{time.Unix(0, 0).In(lmt): 1}, "use its UTC method", "use its UTC method"},
		"seconds, UTC":           {time.Date(1850, 1, 1, 0, 0, 0, 0, lmt).UTC(), "", ""},
	} {
		for codec, want := range map[core.Codec]string{core.CBOR(): c.cbor, core.JSON(): c.json} {
			w := server(t, func(config *core.Config) { config.Codec = codec })
			for try := range 2 { // the second time from the cache
				r := newClient(t, w.m).begin()
				r.s.Set("the key", c.v)
				err := r.s.Err()
				var valueErr *core.ValueError
				switch {
				case want == "" && err != nil:
					t.Errorf("%s, %T, try %d: %v", name, codec, try, err)
				case want != "" && (!errors.As(err, &valueErr) || valueErr.Key != "the key" || valueErr.Type != fmt.Sprintf("%T", c.v) || !strings.Contains(err.Error(), want)):
					t.Errorf("%s, %T, try %d: %v, want %q", name, codec, try, err, want)
				}
				if data, err := codec.Encode(c.v); err == nil {
					if err := codec.Decode(data, reflect.New(reflect.TypeOf(c.v)).Interface()); err != nil {
						t.Errorf("%s, %T, try %d: it does not come back: %v", name, codec, try, err)
					}
				}
			}
		}
	}
}

// A key or an update whose type is an interface with methods could not be read.
func TestInterfacesAsTypesOfKeys(t *testing.T) {
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		w := server(t, func(c *core.Config) { c.Codec = codec })
		for name, set := range map[string]func(s *core.Session){
			"Key":      func(s *core.Session) { core.NewKey[fmt.Stringer]("k").Set(s, time.Minute) },
			"Update":   func(s *core.Session) { core.Update(s, "k", func(fmt.Stringer) fmt.Stringer { return time.Minute }) },
			"FlashKey": func(s *core.Session) { core.NewFlashKey[fmt.Stringer]("k").Add(s, time.Minute) },
		} {
			s := newClient(t, w.m).begin().s
			set(s)
			var valueErr *core.ValueError
			if err := s.Err(); !errors.As(err, &valueErr) || valueErr.Type != "fmt.Stringer" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// halfRead decodes less than it encodes, which no check of its type can see.
type halfRead struct{ A, B string }

func (f halfRead) MarshalText() ([]byte, error) { return []byte(f.A + "," + f.B), nil }
func (f *halfRead) UnmarshalText(b []byte) error {
	f.A, _, _ = strings.Cut(string(b), ",")
	return nil
}

func TestE1StrictModeFindsWhatDoesNotComeBack(t *testing.T) {
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		var mistakes []error
		w := server(t, func(c *core.Config) {
			c.Codec, c.Strict = codec, true
			c.OnMistake = func(err error) { mistakes = append(mistakes, err) }
		})
		for name, set := range map[string]func(s *core.Session){
			"Set":      func(s *core.Session) { s.Set("k", halfRead{"a", "b"}) },
			"inside":   func(s *core.Session) { s.Set("k", map[string]*halfRead{"x": {"a", "b"}}) },
			"Key":      func(s *core.Session) { core.NewKey[halfRead]("k").Set(s, halfRead{"a", "b"}) },
			"Update":   func(s *core.Session) { core.Update(s, "k", func(halfRead) halfRead { return halfRead{"a", "b"} }) },
			"FlashKey": func(s *core.Session) { core.NewFlashKey[halfRead]("k").Add(s, halfRead{"a", "b"}) },
		} {
			mistakes = nil
			set(newClient(t, w.m).begin().s)
			if len(mistakes) != 1 || !strings.Contains(mistakes[0].Error(), `under "k" does not come back`) {
				t.Errorf("%T, %s: %v", codec, name, mistakes)
			}
		}
		mistakes = nil
		newClient(t, w.m).do(func(s *core.Session) {
			for i, v := range []any{
				nil, 1, "<\u2028>",
				[]byte{},
				[]byte(nil), 1.5, time.Now(),
				map[string]any{"b": 1, "a": []any{nil, true}},
				map[string]any{"s": struct{ B, A int }{1, 2}},
				[]any{uint8(1), int32(2), float32(0.1)},
				struct{ L []int }{},
				halfRead{"a", ""},
				&cart{Items: []string{"a"}, At: time.Now()},
				map[int]string{1: "a"},
				json.RawMessage(`{"b": 1, "a": "<"}`), (*cart)(nil),
			} {
				s.Set(fmt.Sprint("v", i), v)
			}
		})
		if len(mistakes) > 0 {
			t.Errorf("%T: %v", codec, mistakes)
		}
	}
}

// leastAllocs returns how often f allocates when the codec's pools have what it needs:
// under the race detector they drop some of it at random.
func leastAllocs(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 100 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}

// TestTypeCheckAllocatesNothing: the check of a type costs a lookup.
func TestTypeCheckAllocatesNothing(t *testing.T) {
	w := server(t)
	s := newClient(t, w.m).begin().s
	for name, v := range map[string]any{
		"struct": cart{Items: []string{"a"}}, "pointer": &cart{}, "map": map[string]any{"a": 1, "b": []any{"c", time.Unix(0, 0)}},
	} {
		s.Set(name, v)
		want := leastAllocs(func() { _, _ = core.CBOR().Encode(v) })
		if got := leastAllocs(func() { s.Set(name, v) }); got > want {
			t.Errorf("%s: Set allocates %v times, the codec %v", name, got, want)
		}
	}
}
