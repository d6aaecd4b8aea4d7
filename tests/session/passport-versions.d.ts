declare module 'passport05' {
  import passport from 'passport'
  export default passport
}

declare module 'passport06' {
  import passport from 'passport'
  export default passport
}
