package main

import (
	"strconv"
	"strings"
)

// reach tells where a requirement of the security checklist must be tested.
type reach int

const (
	somewhere  reach = iota
	everywhere       // with each adapter on each backend
	nowhere          // it is about what Satchel has not: see why
)

// requirement is one row of the security checklist, SEC and its number.
type requirement struct {
	number int
	title  string
	reach  reach

	// stores asks for a test in the suite of each store as well.
	stores bool

	// why tells what a requirement without tests is about.
	why string
}

const (
	selfContained = "tokens that carry signed claims, such as JSON Web Tokens, which Satchel does not issue"
	thirdParty    = "signed tokens such as JSON Web Tokens, which Satchel does not accept"
)

// checklist is what is known to go wrong with sessions elsewhere. There is no
// SEC66.
var checklist = []requirement{
	{number: 1, reach: everywhere, title: "A token has 256 random bits; without a random source there is none"},
	{number: 2, reach: everywhere, title: "A token that was never issued is not taken over"},
	{number: 3, reach: everywhere, title: "A login changes the token, keeps the data and ends the old token"},
	{number: 4, reach: everywhere, title: "Renewals that overlap leave one live token"},
	{number: 5, reach: everywhere, title: "Tokens are read from the cookie and from nowhere else"},
	{number: 6, reach: everywhere, title: "A token that is malformed costs no question to the store"},
	{number: 7, reach: everywhere, title: "Nothing that is stored is of use as a token"},
	{number: 8, reach: everywhere, title: "Applications and cookie names that share a store accept none of each other's tokens"},
	{number: 9, reach: everywhere, title: "A store that mixes up its answers shows nobody another's session"},
	{number: 10, reach: everywhere, title: "Refusals look alike, whatever the reason"},
	{number: 11, reach: everywhere, title: "The server enforces the idle timeout"},
	{number: 12, reach: everywhere, title: "The lifetime ends despite activity and renewal; a login restarts it"},
	{number: 13, reach: somewhere, stores: true, title: "All that is stored expires, and is not believed after its time"},
	{number: 14, reach: everywhere, title: "The expiry is sealed with the content, not left to the cookie"},
	{number: 15, reach: everywhere, stores: true, title: "A logout ends the session on the server, and deletes just its cookie"},
	{number: 16, reach: everywhere, stores: true, title: "No request in flight brings an ended session back"},
	{number: 17, reach: everywhere, stores: true, title: "A user's sessions can be ended one by one, all others, all; races included"},
	{number: 18, reach: everywhere, stores: true, title: "The limit of sessions is exact, however many logins overlap"},
	{number: 19, reach: everywhere, title: "What is revoked stays so, in whatever spelling its token comes"},
	{number: 20, reach: nowhere, why: "lists of refused tokens; server-side Satchel deletes the session instead, and client-side it keeps no list: a copied cookie lives on", title: "An entry of a list of refused tokens outlives its token"},
	{number: 21, reach: everywhere, title: "After a logout, the session in hand is a new one"},
	{number: 22, reach: everywhere, title: "Visitors who write nothing are stored nowhere and get no cookie"},
	{number: 23, reach: everywhere, title: "What is unchanged is not written"},
	{number: 24, reach: everywhere, title: "Sessions, user names and stores in memory have a largest size"},
	{number: 25, reach: everywhere, title: "Cookies are HttpOnly, Secure, SameSite and of this host, to the letter"},
	{number: 26, reach: everywhere, title: "Cookies against the rules of their name's prefix are refused at the start"},
	{number: 27, reach: everywhere, title: "SameSite=None without Secure is refused at the start"},
	{number: 28, reach: everywhere, title: "Each option of the cookie is in the header"},
	{number: 29, reach: everywhere, title: "What does not fit is split or an error; nothing is dropped in silence"},
	{number: 30, reach: everywhere, title: "There is one Set-Cookie for each name"},
	{number: 31, reach: everywhere, title: "Of two cookies that differ, neither is used"},
	{number: 32, reach: everywhere, title: "Cookie names match octet for octet"},
	{number: 33, reach: everywhere, title: "A token with a byte outside its alphabet is none"},
	{number: 34, reach: everywhere, title: "A token has one spelling"},
	{number: 35, reach: everywhere, title: "Thousands of cookies cost neither memory nor cryptography"},
	{number: 36, reach: everywhere, title: "The parts of a split cookie belong together or count for nothing"},
	{number: 37, reach: everywhere, title: "Responses that set the session are stored by no cache; those that read it vary by cookie"},
	{number: 38, reach: everywhere, title: "A Secure cookie over plain HTTP is reported"},
	{number: 39, reach: everywhere, stores: true, title: "Overlapping requests lose none of each other's changes"},
	{number: 40, reach: everywhere, title: "What does not open is no session, and is not decoded"},
	{number: 41, reach: everywhere, title: "A seal is bound to namespace, cookie name, version and key"},
	{number: 42, reach: somewhere, title: "No nonce is used twice"},
	{number: 43, reach: somewhere, title: "Keys that are visibly not random, and those of the documentation, are refused"},
	{number: 44, reach: somewhere, title: "Keys can be changed while several processes run"},
	{number: 45, reach: everywhere, title: "Nothing is compressed before it is encrypted"},
	{number: 46, reach: somewhere, title: "What is decoded takes memory in proportion to its length"},
	{number: 47, reach: nowhere, why: thirdParty, title: "The key decides on the algorithm, not the token"},
	{number: 48, reach: nowhere, why: thirdParty, title: "A token brings no key along, nor the address of one"},
	{number: 49, reach: nowhere, why: selfContained, title: "Claims of time are there, and are numbers within bounds"},
	{number: 50, reach: nowhere, why: selfContained, title: "Issuer and audience match exactly"},
	{number: 51, reach: nowhere, why: selfContained, title: "A token of another kind is no session"},
	{number: 52, reach: nowhere, why: thirdParty, title: "A claim is not seen before the signature is checked"},
	{number: 53, reach: somewhere, title: "Refusing a huge token is cheap"},
	{number: 54, reach: nowhere, why: thirdParty, title: "Signatures of zeros, and empty ones, are refused"},
	{number: 55, reach: nowhere, why: "refresh tokens, which Satchel does not issue", title: "A refresh token that comes twice ends its family"},
	{number: 56, reach: nowhere, why: "tokens that clients can read; only `gorillastore.CookieSigned` makes such, on demand: keep personal data out of them", title: "What the client can read has no personal data"},
	{number: 57, reach: everywhere, title: "The commit comes before the header, whatever the way to answer"},
	{number: 58, reach: everywhere, title: "A commit that fails sets no cookie and sends no page"},
	{number: 59, reach: everywhere, title: "Panics and server errors roll back"},
	{number: 60, reach: everywhere, title: "Nothing that is kept is a view of a framework's buffer"},
	{number: 61, reach: everywhere, title: "Nothing leaks from one request to the next"},
	{number: 62, reach: everywhere, stores: true, title: "Sessions and stores may be used by many goroutines"},
	{number: 63, reach: everywhere, title: "A flash is shown once, and not lost before"},
	{number: 64, reach: everywhere, title: "Flashes are bounded, and data"},
	{number: 65, reach: everywhere, title: "Values reach neither the user, nor flashes, nor times"},
	{number: 67, reach: everywhere, title: "No token, key or value is in logs, errors or JSON"},
	{number: 68, reach: everywhere, title: "Middleware that is mounted twice loads and commits once"},
	{number: 69, reach: everywhere, stores: true, title: "A new session never replaces another"},
	{number: 70, reach: somewhere, title: "Sweeping removes the expired only, and ends with its store"},
}

// requirementOf returns the row of the checklist with this ID.
func requirementOf(id string) (requirement, bool) {
	for _, r := range checklist {
		if r.id() == id {
			return r, true
		}
	}
	return requirement{}, false
}

func (r requirement) id() string { return "SEC" + strconv.Itoa(r.number) }

// required tells whether there must be a test.
func (r requirement) required() bool { return r.reach == somewhere || r.reach == everywhere }

// storeSuites are the tests, by the package and their name, that run the
// stores' suite.
var storeSuites = []string{
	"core/memstore.TestStore", "core/goredisstore.TestStore", "core/gorillastore.TestRedisStore", "core.TestEncryptedStore",
}

const modulePath = "github.com/satchel-go/satchel/"

// storeSuiteOf returns which of storeSuites an event's test belongs to.
func storeSuiteOf(e event) string {
	test, _, _ := strings.Cut(e.Test, "/")
	for _, s := range storeSuites {
		if strings.TrimPrefix(e.Package, modulePath)+"."+test == s {
			return s
		}
	}
	return ""
}
