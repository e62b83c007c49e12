package main

import (
	"strconv"
	"strings"
)

// reach says where a requirement of the security checklist needs tests.
type reach int

const (
	somewhere  reach = iota
	everywhere       // with each adapter on each backend
	nowhere          // Satchel lacks what it is about; see why
)

// requirement is one row of the security checklist, SEC and its number.
type requirement struct {
	number int
	title  string
	reach  reach

	// stores requires a test in each store's suite too.
	stores bool

	// index means that only stores with an index of users are concerned.
	index bool

	// why names the subject of a requirement without tests.
	why string
}

// checklist has a requirement for each known fault of sessions elsewhere. There is no
// SEC66.
var checklist = []requirement{
	{number: 1, reach: everywhere, title: "A token has 256 random bits; without a random source, none is issued"},
	{number: 2, reach: everywhere, title: "A token that was never issued is never adopted"},
	{number: 3, reach: everywhere, title: "A login changes the token, keeps the data and ends the old token, which for 30 seconds is good for a logout only"},
	{number: 4, reach: everywhere, title: "Overlapping renewals leave one live token"},
	{number: 5, reach: everywhere, title: "Tokens are read only from the cookie, or only from the header that is configured"},
	{number: 6, reach: everywhere, title: "A malformed token never reaches the store"},
	{number: 7, reach: everywhere, title: "Nothing in the store can be used as a token"},
	{number: 8, reach: everywhere, title: "Applications and cookie names that share a store do not accept each other's tokens"},
	{number: 9, reach: everywhere, title: "A store that mixes up its answers shows no user another user's session"},
	{number: 10, reach: everywhere, title: "Refusals look alike, whatever the reason"},
	{number: 11, reach: everywhere, title: "The server enforces the idle timeout"},
	{number: 12, reach: everywhere, title: "The lifetime ends despite activity and renewal; only a login or Reauthenticate restarts it"},
	{number: 13, reach: somewhere, stores: true, title: "Everything that is stored expires, and does not count after its expiry, but for what a request began before"},
	{number: 14, reach: everywhere, title: "The expiry is sealed with the content, not left to the cookie"},
	{number: 15, reach: everywhere, stores: true, title: "A logout ends the session on the server, and deletes only its cookie"},
	{number: 16, reach: everywhere, stores: true, title: "No request in flight brings an ended session back"},
	{number: 17, reach: everywhere, stores: true, title: "A user's sessions can be ended one by one, all but one, or all at once, even in a race"},
	{number: 18, reach: everywhere, stores: true, index: true, title: "The session limit is exact, however many logins overlap"},
	{number: 19, reach: everywhere, title: "A revoked session stays revoked, whatever the spelling of its token"},
	{number: 20, reach: somewhere, title: "What ends tokens before their time outlives them: no list of ended ones that forgets"},
	{number: 21, reach: everywhere, title: "After a logout, the request gets a new session"},
	{number: 22, reach: everywhere, title: "Visitors who write nothing get no cookie and no stored session"},
	{number: 23, reach: everywhere, title: "An unchanged session is not written"},
	{number: 24, reach: everywhere, title: "Sessions, user names and stores in memory have a maximum size"},
	{number: 25, reach: everywhere, title: "Cookies are HttpOnly, Secure, SameSite and bound to this host, byte for byte"},
	{number: 26, reach: everywhere, title: "Cookies that break the rules of their name's prefix are refused at startup"},
	{number: 27, reach: everywhere, title: "SameSite=None without Secure is refused at startup"},
	{number: 28, reach: everywhere, title: "The header contains each option of the cookie"},
	{number: 29, reach: everywhere, title: "A session too large for one cookie is split or refused; nothing is dropped silently"},
	{number: 30, reach: everywhere, title: "Each name has one Set-Cookie"},
	{number: 31, reach: everywhere, title: "If two cookies differ, neither is used; nor is either of two tokens in a header"},
	{number: 32, reach: everywhere, title: "Cookie names match byte for byte"},
	{number: 33, reach: everywhere, title: "A token with a byte outside its alphabet is invalid"},
	{number: 34, reach: everywhere, title: "A token has one spelling"},
	{number: 35, reach: everywhere, title: "Thousands of cookies cost neither memory nor cryptography"},
	{number: 36, reach: everywhere, title: "The parts of a split cookie must belong together, or none counts"},
	{number: 37, reach: everywhere, title: "Caches do not store responses that set the session; responses that read it vary by cookie or header"},
	{number: 38, reach: everywhere, title: "A Secure cookie over plain HTTP is reported"},
	{number: 39, reach: everywhere, stores: true, title: "Overlapping requests do not lose each other's changes"},
	{number: 40, reach: everywhere, title: "A token or entry that does not open is not decoded and gives no session"},
	{number: 41, reach: everywhere, title: "A seal is bound to namespace, cookie name, version and key"},
	{number: 42, reach: somewhere, title: "No nonce is used twice"},
	{number: 43, reach: somewhere, title: "Keys that are visibly not random, or printed in the documentation, are refused"},
	{number: 44, reach: somewhere, title: "Keys can be changed while several processes run"},
	{number: 45, reach: everywhere, title: "Nothing is compressed before it is encrypted"},
	{number: 46, reach: somewhere, title: "Decoding uses memory in proportion to the input's length"},
	{number: 47, reach: somewhere, title: "The key, not the token, decides the algorithm"},
	{number: 48, reach: somewhere, title: "A token contains neither a key nor the address of one"},
	{number: 49, reach: somewhere, title: "Time claims are present, and are numbers within bounds"},
	{number: 50, reach: somewhere, title: "Issuer and audience match exactly"},
	{number: 51, reach: somewhere, title: "A token of another kind is not a session"},
	{number: 52, reach: somewhere, title: "Claims are not used before the signature is checked"},
	{number: 53, reach: somewhere, title: "Refusing a huge token is cheap"},
	{number: 54, reach: somewhere, title: "Empty and all-zero signatures are refused"},
	{number: 55, reach: nowhere, why: "refresh tokens, which Satchel does not issue", title: "Reusing a refresh token ends its family"},
	{number: 56, reach: somewhere, title: "Data that the client can read is not personal"},
	{number: 57, reach: everywhere, title: "The commit precedes the header, however the response is written"},
	{number: 58, reach: everywhere, title: "A failed commit sends no token and no page"},
	{number: 59, reach: everywhere, title: "Panics and server errors roll back"},
	{number: 60, reach: everywhere, title: "Nothing that is kept refers to a framework's buffer"},
	{number: 61, reach: everywhere, title: "Nothing leaks from one request to the next"},
	{number: 62, reach: everywhere, stores: true, title: "Many goroutines may use sessions and stores at once"},
	{number: 63, reach: everywhere, title: "A flash is shown once, and is not lost before"},
	{number: 64, reach: everywhere, title: "Flashes are bounded, and are only data"},
	{number: 65, reach: everywhere, title: "Values cannot change the user, flashes or times"},
	{number: 67, reach: everywhere, title: "No token, key or value appears in logs, errors or JSON"},
	{number: 68, reach: everywhere, title: "Middleware mounted twice loads and commits once"},
	{number: 69, reach: everywhere, stores: true, title: "A new session never replaces another"},
	{number: 70, reach: somewhere, title: "Sweeping removes only expired sessions, and stops with its store"},
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

// required reports whether there must be a test.
func (r requirement) required() bool { return r.reach == somewhere || r.reach == everywhere }

// storeSuites are the tests that run the stores' suite, as package and name.
var storeSuites = []string{
	"core/memstore.TestStore", "core/filestore.TestStore", "core/goredisstore.TestStore", "core/memcachedstore.TestStore", "examples/sqltests.TestStore", "core/pgxstore.TestStore", "core/gorillastore.TestRedisStore", "core/sealed.TestEncryptedStore",
}

// withoutIndex is the one of storeSuites whose store has no index of users.
const withoutIndex = "core/memcachedstore.TestStore"

const modulePath = "github.com/satchel-go/satchel/"

// storeSuiteOf returns the entry of storeSuites that an event's test belongs to.
func storeSuiteOf(e event) string {
	test, _, _ := strings.Cut(e.Test, "/")
	for _, s := range storeSuites {
		if strings.TrimPrefix(e.Package, modulePath)+"."+test == s {
			return s
		}
	}
	return ""
}
