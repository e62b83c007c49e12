package jwtsealer

// printedKeys has the thumbprints (RFC 7638) of private keys that are printed in
// RFCs, so that none of them ever signs real sessions.
var printedKeys = map[string]struct{}{
	"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": {}, // RFC 8037 A.1 and RFC 8032 7.1, test 1
	"FtIu-VbGrfe_KB6CH7GNwODB72MNxj_ml11dEvO-7kk": {}, // RFC 8032 7.1, test 2
	"FVV5umTuau890q59V-4Ga_R6qWb7ON_ivJc4EjvCwTM": {}, // RFC 8032 7.1, test 3
	"lZI1vM7tnlYapaF5-cy86ptx0tT_8Av721hhiNB5ti4": {}, // RFC 8032 7.1, test 1024
	"iiDHHfFVNG6ICMUTsicgrWf1igtFYZEK73xlobt1ah4": {}, // RFC 8032 7.1, test SHA(abc)
	"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U": {}, // RFC 7515 A.3
	"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s": {}, // RFC 7517 A.2, P-256
	"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": {}, // RFC 7517 A.2, RSA
	"9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI": {}, // RFC 7520 3.4
	"D8R4-FeTJfzuDUy8bZ0c4hcwpul-Q11gCPs3mw6-R9Q": {}, // RFC 7517 C.1
	"IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8": {}, // RFC 7515 A.2
}
