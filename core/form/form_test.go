package form_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/satchel-go/satchel/core"
	"github.com/satchel-go/satchel/core/form"
	"github.com/satchel-go/satchel/core/memstore"
	"github.com/satchel-go/satchel/core/sessiontest"
)

type address struct {
	City string `form:"city"`
	Note string
}

type person struct {
	Base
	Name     string         `form:"name"`
	Age      int            `form:"age"`
	Home     address        `form:"home"`
	Work     *address       `form:"work"`
	Colours  []string       `form:"colour"`
	Items    []item         `form:"items"`
	Notes    map[string]int `form:"notes"`
	Born     time.Time      `form:"born"`
	Height   *float64       `form:"height"`
	News     bool           `form:"news,default=true"`
	Password string         `form:"password" session:"-"`
	hidden   string
}

type Base struct {
	Email string `form:"email"`
}

type item struct {
	Name string `form:"name"`
	Code string `form:"code" session:"-"`
}

var people = form.New[person]("people")

func filled() person {
	height := 1.5
	return person{
		Base: Base{"ann@example.com"}, Name: `<Ann> "A"`, Age: 30, Home: address{City: "Bonn", Note: "n"},
		Colours: []string{"red", "blue"}, Items: []item{{Name: "first"}, {Name: "second"}}, Notes: map[string]int{"a": 1},
		Born: time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC), Height: &height, News: true,
	}
}

func TestInputAndErrorsWaitForThePage(t *testing.T) {
	st := sessiontest.New(t)
	ann := st.Visitor()
	in := filled()
	in.Password = "hunter2"
	in.hidden = "h"
	var errs form.Errors
	errs.Add("name", "Too short.")
	errs.Add("name", "And odd.")
	errs.Add("", "Try again.")
	people.Fail(ann.Session(), in, errs)
	ann.End(303)
	if in.Password != "hunter2" {
		t.Error("Fail has changed the caller's input")
	}

	p := people.Take(ann.Session())
	ann.End(302) // a redirect shows nothing
	if !p.Failed() || p.Input.Name != in.Name || p.Input.Password != "" {
		t.Errorf("the page has %+v", p.Input)
	}
	p = people.Take(ann.Session())
	ann.End(200)
	if got := p.Error("name"); got != "Too short." {
		t.Errorf("Error is %q", got)
	}
	if got := fmt.Sprint(p.Errors(), p.General(), p.Error("email")+p.Error("nothing")); got != "[{name Too short.} {name And odd.} { Try again.}] [Try again.]" {
		t.Errorf("errors are %s", got)
	}
	p = people.Take(ann.Session())
	if p.Failed() || p.Input.Name != "" || len(p.Errors()) != 0 {
		t.Errorf("after reload the page has %+v, %v", p.Input, p.Errors())
	}
}

func TestNewestFailureWins(t *testing.T) {
	ann := sessiontest.New(t).Visitor()
	for _, name := range []string{"first", "second"} {
		var errs form.Errors
		errs.Add("name", name+" is wrong")
		people.Fail(ann.Session(), person{Name: name}, errs)
		ann.End(303)
	}
	if p := people.Take(ann.Session()); p.Input.Name != "second" || p.Error("name") != "second is wrong" || len(p.Errors()) != 1 {
		t.Errorf("the page has %+v, %v", p.Input, p.Errors())
	}
	if p := people.Take(ann.Session()); p.Failed() {
		t.Errorf("a second page has %v", p.Errors())
	}
}

func TestFormsAreApart(t *testing.T) {
	ann := sessiontest.New(t).Visitor()
	people.Fail(ann.Session(), person{Name: "ann"}, nil)
	s := ann.Session()
	if form.New[person]("others").Take(s).Failed() {
		t.Error("another form takes it")
	}
	if p := people.Take(s); !p.Failed() || p.Input.Name != "ann" {
		t.Errorf("the page has %+v", p.Input)
	}
}

func TestValues(t *testing.T) {
	p := people.Page(filled(), nil)
	for name, want := range map[string]string{
		"name": `<Ann> "A"`, "Name": `<Ann> "A"`, "email": "ann@example.com", "Base.Email": "ann@example.com", "age": "30",
		"home.city": "Bonn", "home[city]": "Bonn", "Home.City": "Bonn", "city": "Bonn", "home.Note": "n", "Note": "n",
		"work.city": "", "colour": "red", "colour[]": "red", "colour[1]": "blue", "colour.2": "",
		"items[0].name": "first", "items.1.name": "second", "items[1][name]": "second", "items[7].name": "", "items[0].code": "",
		"notes.a": "1", "notes[b]": "", "born": "2000-01-02T00:00:00Z", "height": "1.5", "news": "true", "password": "",
	} {
		if got, err := p.Value(name); got != want || err != nil {
			t.Errorf("Value(%q) is %q, %v; want %q", name, got, err, want)
		}
		if got, err := people.Page(person{}, nil).Value(name); got != "" || err != nil {
			t.Errorf("Value(%q) of an empty form is %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{
		"nmae": "there is no field \"nmae\"; the fields are: email, name, age, home.city, home.Note", "home": "has fields of its own",
		"items": "has fields of its own", "items.x.name": "there is no field", "hidden": "there is no field", "work.zip": "there is no field",
		"": "has fields of its own", "name.first": "there is no field", "names": "there is no field",
		"items[-1].name": "there is no field", "items[1": "there is no field",
	} {
		if _, err := p.Value(name); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "form people: ") {
			t.Errorf("Value(%q) says %v, want %q", name, err, want)
		}
	}
	for _, test := range []struct {
		field, value string
		want         bool
	}{{"colour", "blue", true}, {"colour", "green", false}, {"news", "true", true}, {"work.city", "", false}, {"password", "", false}} {
		if got, err := p.Is(test.field, test.value); got != test.want || err != nil {
			t.Errorf("Is(%q, %q) is %v, %v", test.field, test.value, got, err)
		}
	}
	if got, err := form.New[tree]("t").Page(tree{secretive: secretive{Open: "o"}}, nil).Value("Open"); got != "o" || err != nil {
		t.Errorf("Value of a field of an embedded struct is %q, %v", got, err)
	}
	if _, err := form.New[tree]("t").Page(tree{Left: &tree{}}, nil).Value("Opne"); err == nil || !strings.Contains(err.Error(), "the fields are: Open, Closed, Left, Right") {
		t.Errorf("Value of a field that a type made of itself does not have says %v", err)
	}
	if got, err := p.Values("colour"); fmt.Sprint(got) != "[red blue]" || err != nil {
		t.Errorf("Values is %v, %v", got, err)
	}
}

// Values come back as a browser would send them.
func TestValuesOfOtherTypes(t *testing.T) {
	type input struct {
		Bytes  []byte
		Price  float64
		Share  float32
		Until  *time.Time
		Small  map[int8]string
		Amount map[uint8]string
	}
	p := form.New[input]("f").Page(input{
		Bytes: []byte("text"), Price: 12345678.5, Share: 0.1, Small: map[int8]string{44: "x", -1: "y"}, Amount: map[uint8]string{44: "x"},
	}, nil)
	for name, want := range map[string]string{
		"Bytes": "text", "Price": "12345678.5", "Share": "0.1", "Until": "", "Small[44]": "x", "Small.-1": "y", "Amount.44": "x",
	} {
		if got, err := p.Value(name); got != want || err != nil {
			t.Errorf("Value(%q) is %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"Small[300]", "Amount[300]", "Amount[-1]"} { // 300 is 44 in a byte
		if got, err := p.Value(name); err == nil {
			t.Errorf("Value(%q) is %q", name, got)
		}
	}
}

// A secret has no value on the page, but it has its own errors.
func TestErrorsOfSecrets(t *testing.T) {
	type login struct {
		Password string `form:"password"`
		Token    string `form:"token"`
	}
	type input struct{ Login login }
	f := form.New[input]("f")
	ann := sessiontest.New(t).Visitor()
	f.Fail(ann.Session(), input{}, form.Errors{{Field: "input.Login.Password", Text: "Too short."}, {Field: "Password", Text: "Too plain."}})
	ann.End(303)
	p := f.Take(ann.Session())
	if got := fmt.Sprint(p.Errors()); got != "[{Login.password Too short.} {Login.password Too plain.}]" && got != "[{Login.password Too short.} {password Too plain.}]" {
		t.Errorf("errors are %s", got)
	}
	if p.Error("password") != "Too short." || p.Error("Login.Password") != "Too short." || p.Error("token") != "" || len(p.General()) != 0 {
		t.Errorf("the password's error is %q, the token's %q, the form's %q", p.Error("password"), p.Error("token"), p.General())
	}
}

// Errors may use the names that binders and validators have for a field.
func TestErrorsByOtherNames(t *testing.T) {
	for given, asked := range map[string]string{
		"name": "name", "Name": "name", "person.Name": "name", "person.Base.Email": "email", "city": "home.city", "Home.City": "city",
		"person.Items[1].Name": "items[1].name", "items.0.name": "items[0][name]", "captcha": "captcha",
	} {
		p := people.Page(filled(), form.Errors{{Field: given, Text: "wrong"}})
		if p.Error(asked) != "wrong" {
			t.Errorf("an error of %q is not one of %q", given, asked)
		}
	}
	if people.Page(filled(), nil).Failed() {
		t.Error("a form without errors has failed")
	}
	p := people.Page(filled(), form.Errors{{Field: "person.Name", Text: "wrong"}, {Field: "Base.Email", Text: "wrong"}})
	if got := fmt.Sprint(p.Errors()); got != "[{name wrong} {email wrong}]" {
		t.Errorf("errors are %s", got)
	}
	if p.Error("age") != "" || p.Error("items[1].name") != "" {
		t.Error("an error of one field is shown for another")
	}
}

func TestTemplate(t *testing.T) {
	page := template.Must(template.New("").Parse(`{{with .Form}}{{range .General}}<p>{{.}}</p>{{end}}` +
		`<input name="name" value="{{.Value "name"}}">{{with .Error "name"}}<b>{{.}}</b>{{end}}` +
		`<option {{if .Is "colour" "red"}}selected{{end}}>{{range .Errors}}<li>{{.Field}}: {{.Text}}</li>{{end}}{{.Input.Age}}{{end}}`))
	var out strings.Builder
	errs := form.Errors{{Field: "name", Text: "a < b"}, {Text: "Again."}}
	if err := page.Execute(&out, map[string]any{"Form": people.Page(filled(), errs)}); err != nil {
		t.Fatal(err)
	}
	want := `<p>Again.</p><input name="name" value="&lt;Ann&gt; &#34;A&#34;"><b>a &lt; b</b><option selected><li>name: a &lt; b</li><li>: Again.</li>30`
	if out.String() != want {
		t.Errorf("the page is\n%s, want\n%s", &out, want)
	}
	wrong := template.Must(template.New("").Parse(`{{.Value "nmae"}}`))
	if err := wrong.Execute(&out, people.Page(filled(), nil)); err == nil || !strings.Contains(err.Error(), `no field "nmae"`) {
		t.Errorf("a template with a wrong name: %v", err)
	}
}

// What a visitor types never causes an error page.
func TestInputThatCannotBeWritten(t *testing.T) {
	ann := sessiontest.New(t).Visitor()
	for _, in := range []person{{Name: "old"}, {Name: "new", Born: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		people.Fail(ann.Session(), in, form.Errors{{Field: "born", Text: "Too late."}})
		ann.End(303)
	}
	if p := people.Take(ann.Session()); p.Error("born") != "Too late." || p.Input.Name != "" {
		t.Errorf("the page has %+v, %v", p.Input, p.Errors())
	}
}

// The errors matter more than the input, which is dropped if there is no room.
func TestInputTooLarge(t *testing.T) {
	ann := sessiontest.New(t, func(c *core.Config) { c.MaxBytes = 2000 }).Login("ann")
	people.Fail(ann.Session(), person{Name: strings.Repeat("x", 3000)}, form.Errors{{Field: "name", Text: "Too long."}})
	ann.End(303)
	ann.WantUser("ann")
	if p := people.Take(ann.Session()); !p.Failed() || p.Error("name") != "Too long." || p.Input.Name != "" {
		t.Errorf("the page has %d bytes, %v", len(p.Input.Name), p.Errors())
	}
}

func TestBoundedLikeFlashes(t *testing.T) {
	st := sessiontest.New(t)
	ann := st.Visitor()
	for range 100 {
		people.Fail(ann.Session(), filled(), form.Errors{{Field: "name", Text: "No."}})
		ann.End(303)
	}
	if p := people.Take(ann.Session()); p.Input.Name != filled().Name || len(p.Errors()) != 1 {
		t.Errorf("the page has %+v", p.Input)
	}
	people.Fail(ann.Session(), filled(), nil)
	ann.End(303)
	st.Advance(25 * time.Minute)
	ann.Session().Set("alive", true)
	if !people.Take(ann.Session()).Failed() {
		t.Error("it was dropped too early")
	}
}

// Another version of the application reads what it can.
func TestOtherVersionOfTheForm(t *testing.T) {
	ann := sessiontest.New(t).Visitor()
	type before struct {
		City string
		Name []string
		Word string
	}
	type after struct {
		City string
		Name string
		Word string `session:"-"`
	}
	form.New[before]("v").Fail(ann.Session(), before{City: "Bonn", Name: []string{"ann"}, Word: "geheim"}, form.Errors{{Field: "Name", Text: "No."}})
	ann.End(303)
	// Not even the field that fits is kept: half a form would look as if the visitor had left the rest empty.
	if p := form.New[after]("v").Take(ann.Session()); p.Input != (after{}) || p.Error("Name") != "No." {
		t.Errorf("the page has %+v, %v", p.Input, p.Errors())
	}
	form.New[struct{ Word string }]("w").Fail(ann.Session(), struct{ Word string }{"geheim"}, nil)
	ann.End(303)
	if p := form.New[after]("w").Take(ann.Session()); p.Input.Word != "" {
		t.Errorf("a field that has become a secret is in the page: %+v", p.Input)
	}
}

// dump returns everything that a store was given.
type dump struct {
	core.Store
	all strings.Builder
}

func (d *dump) Save(ctx context.Context, id core.ID, e core.Entry, base core.Version) (core.Version, error) {
	d.all.Write(e.Data)
	return d.Store.Save(ctx, id, e, base)
}

func (d *dump) Unwrap() core.Store { return d.Store }

// stores fails the test unless Fail stores keep, and not leave, of input.
func stores[T any](t *testing.T, input T, keep, leave string) {
	t.Helper()
	for _, codec := range []core.Codec{core.CBOR(), core.JSON()} {
		d := &dump{Store: memstore.New(memstore.Config{})}
		st := sessiontest.NewOn(t, core.ServerSide(d), func(c *core.Config) { c.Codec = codec })
		ann, f := st.Visitor(), form.New[T]("f")
		f.Fail(ann.Session(), input, form.Errors{{Text: "No."}})
		ann.End(303)
		page, err := json.Marshal(f.Take(ann.Session()).Input)
		if err != nil {
			t.Fatal(err)
		}
		direct := fmt.Sprintf("%+v", f.Page(input, nil))
		for what, text := range map[string]string{"store": d.all.String(), "page": string(page), "page without redirect": direct} {
			if strings.Contains(text, leave) {
				t.Errorf("%q is in the %s: %q", leave, what, text)
			}
			if what != "page without redirect" && !strings.Contains(text, keep) {
				t.Errorf("%q is not in the %s: %q", keep, what, text)
			}
		}
	}
}
