@rem The scripts of package.json say `exec`, so that on Unix no shell stands between npm and the hub. This is its twin.
@%*
